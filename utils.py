"""The one import of every notebook: an index of the course's helpers, one block per notebook.

A helper is imported when it is first asked for: torch alone takes seconds, and half of the notebooks can do without.
"""

# ruff: noqa: F401, I001
import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors, and for __getattr__ below, which reads these lines
    # Everywhere
    from facecourse.embedding.backbones import default_backbone, find_weights
    from facecourse.embedding.embeddings import embed_manifest
    from facecourse.embedding.photo_sets import photo_sets
    from facecourse.lessons.exercises import check
    from facecourse.photos.dataset import load_manifest

    # 01_assemble_dataset
    from facecourse.app.uploads import upload_people
    from facecourse.core.sources import load_sources
    from facecourse.lessons.assembling import plot_photos_per_person, plot_splits, show_people, show_problems
    from facecourse.photos.checks import summary
    from facecourse.photos.collect import (
        collect_people,
        collection_summary,
        names_to_collect,
        show_collection,
    )
    from facecourse.photos.dataset import assemble, load_checks
    from facecourse.photos.flags import set_flag
    from facecourse.photos.splits import find_leaks

    # 02_detect_faces
    from facecourse.core.sources import lfw_pairs
    from facecourse.lessons.alignment import alignment_effect, alignment_on_lfw, available, celebrity_faces
    from facecourse.lessons.detection_widgets import explore_settings
    from facecourse.lessons.failures import failures
    from facecourse.lessons.failures_pictures import show_aligned, show_failures
    from facecourse.lessons.floor import floor_table
    from facecourse.lessons.second_detector import compare_on_portraits, compare_on_truth
    from facecourse.lessons.stages import ablation, stage_table, trace
    from facecourse.lessons.stages_pictures import (
        plot_ablation,
        plot_costs,
        plot_found,
        plot_heat_maps,
        plot_network,
        plot_pyramid,
        plot_stages,
        plot_windows,
    )
    from facecourse.lessons.truth import (
        find_true_faces,
        found_when_changed,
        rules_on_groups,
        rules_on_lfw,
        sample_photos,
        true_faces,
    )
    from facecourse.metrics.verification import official_pairs
    from lambda_function.photos import open_photo

    # 03_finetune
    from facecourse.core.figures import LiveHistory, figure, plot_learning_rate_range, plot_recipes
    from facecourse.core.report import load_report, record
    from facecourse.embedding.backbones import BACKBONES, load_backbone
    from facecourse.embedding.photo_sets import centroids
    from facecourse.heads.finetuning import (
        BlockTrainer,
        augmented_views,
        features_before_last_block,
        frozen_head,
        load_small_task,
        pixels_for,
        task_top1,
    )
    from facecourse.heads.learning_rate import learning_rate_range
    from facecourse.heads.recipes import (
        compare_recipes,
        imagenet_pixels,
        pooled,
        run_original,
        run_ours,
        seconds_per_forward,
    )
    from facecourse.heads.saved_head import save_head
    from facecourse.heads.training import CosineHead, Trainer, fit, seed_everything
    from facecourse.lessons.evaluating import plot_scores
    from facecourse.metrics.identification import compare_heads, identify, own_people
    from facecourse.metrics.verification import all_pairs

    # 04_evaluate
    from facecourse.heads.saved_head import load_head
    from facecourse.heads.selection import select_head
    from facecourse.lessons.embedding_map import map_of_embeddings, neighbours_agree
    from facecourse.lessons.evaluating import plot_by_photos, plot_confusion, plot_far_frr, plot_map, plot_roc
    from facecourse.lessons.mistakes import show_misnamed, show_worst_pairs
    from facecourse.metrics.identification import accuracy_by_photos, enrolment, in_words, predict
    from facecourse.metrics.open_set import calibrate, crowds, in_turns, open_set, save_decision
    from facecourse.metrics.verification import fill_in, pairs_among, roc, similarities, tar_at_far, ten_folds
    from facecourse.photos.label_errors import wrongly_named
    from lambda_function.gallery import Gallery

    # 05_deploy_lambda
    from facecourse.app.pictures import plot_result
    from facecourse.app.session import Result
    from facecourse.deployment.bundle import build_bundle, bundle_parity
    from facecourse.deployment.cloud import open_cloud
    from facecourse.deployment.costs import cost_table, show_plan
    from facecourse.deployment.package import build_package, package_contents
    from facecourse.deployment.speed import example_photo, measure_function
    from facecourse.deployment.stack import deploy, names_for, tear_down
    from facecourse.deployment.storage import describe_bucket, make_bucket, upload
    from facecourse.deployment.variants import choose_variant, compare_variants, make_variants
    from facecourse.lessons.deploying import draw_route, plot_variants
    from lambda_function.pipeline import Recogniser

    # 06_try_it
    from facecourse.app.session import Desk, names_at, photos_at
    from facecourse.app.widgets import try_it

    # 07_scale_out
    from facecourse.core.paths import outputs_for, require
    from facecourse.core.sources import lfw_photos
    from facecourse.photos.dataset import photo_path
    from facecourse.scale.distributed import train_with, trainer_for
    from facecourse.scale.galleries import (
        build_index,
        exact_search,
        far_by_size,
        noisy_copies,
        synthetic_people,
    )
    from facecourse.scale.pictures import plot_growth, plot_memory, plot_projection
    from facecourse.scale.projection import Assumed, Measured, project
    from facecourse.scale.shards import kill_worker, plan, read_table, run_shards, throughput, with_ray

_MODULE_OF = {
    helper.name: node.module
    for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and node.module.startswith(("facecourse.", "lambda_function."))
    for helper in node.names
}


def __getattr__(name: str) -> object:
    """Import a helper of the index."""
    if name not in _MODULE_OF:
        raise AttributeError(f"utils has no helper {name!r}; dir(utils) lists them all")
    globals()[name] = helper = getattr(importlib.import_module(_MODULE_OF[name]), name)
    return helper


def __dir__() -> list[str]:
    """List the helpers."""
    return sorted(_MODULE_OF)
