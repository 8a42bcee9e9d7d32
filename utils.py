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
    from facecourse.exercises import check
    from facecourse.report import empty_report, load_report, record, stage
    from facecourse.settings import MissingInput, outputs_for
    from lambda_function.crops import Preprocessing, crop_face, similarity_transform
    from lambda_function.gallery import Gallery, Match
    from lambda_function.photos import PhotoError, open_photo
    from lambda_function.pipeline import BundleError, Embedder, Recogniser

    # 01_assemble_dataset
    from facecourse.checks import summary
    from facecourse.collect import collect_people, collection_summary, names_to_collect, show_collection
    from facecourse.dataset import assemble, load_checks, load_manifest
    from facecourse.flags import read_flags, set_flag
    from facecourse.label_errors import known_errors, wrongly_named
    from facecourse.plotting_dataset import plot_photos_per_person, plot_splits, show_people, show_problems
    from facecourse.sources import SourceError, lfw_pairs, lfw_photos, load_sources
    from facecourse.splits import find_leaks
    from facecourse.uploads import upload_people

    # 02_detect_faces
    from facecourse.detection import detect_photos, detector, find_faces, mtcnn_folder
    from facecourse.detection_alignment import (
        alignment_effect,
        alignment_on_lfw,
        available,
        celebrity_faces,
        roll_of,
    )
    from facecourse.detection_compare import compare_on_portraits, compare_on_truth
    from facecourse.detection_failures import failures, pose
    from facecourse.detection_floor import floor_table, operations
    from facecourse.detection_lesson import ablation, hits, lost_at, stage_table, trace
    from facecourse.detection_truth import (
        find_true_faces,
        found_when_changed,
        rules_on_groups,
        rules_on_lfw,
        sample_photos,
        true_faces,
    )
    from facecourse.detection_widgets import explore_settings
    from facecourse.plotting_detection import (
        draw_faces,
        plot_ablation,
        plot_costs,
        plot_found,
        plot_heat_maps,
        plot_network,
        plot_pyramid,
        plot_stages,
        plot_windows,
    )
    from facecourse.plotting_failures import show_aligned, show_failures
    from lambda_function.faces import Face, select_face
    from lambda_function.mtcnn import Mtcnn

    # 03_finetune
    from facecourse.backbones import (
        BACKBONES,
        BackboneError,
        default_backbone,
        find_weights,
        load_backbone,
        save_backbone,
    )
    from facecourse.evaluation import compare_heads, identify, own_people
    from facecourse.finetuning import (
        BlockTrainer,
        augmented_views,
        features_before_last_block,
        frozen_head,
        load_small_task,
        pixels_for,
        task_top1,
    )
    from facecourse.learning_rate import learning_rate_range
    from facecourse.plotting import LiveHistory, figure, plot_history, plot_learning_rate_range, plot_recipes
    from facecourse.plotting_evaluation import plot_scores
    from facecourse.quantisation import agreement, calibration_crops, halve_weights, quantise
    from facecourse.recipes import (
        compare_recipes,
        imagenet_pixels,
        pooled,
        run_original,
        run_ours,
        seconds_per_forward,
    )
    from facecourse.recognition import embed_faces, embed_manifest, embedder, onnx_backbone
    from facecourse.photo_sets import centroids, hold_out, photo_sets
    from facecourse.saved_head import save_head
    from facecourse.training import CosineHead, Trainer, choose_device, fit, seed_everything
    from facecourse.verification import all_pairs

    # 04_evaluate
    from facecourse.evaluation import (
        accuracy_by_photos,
        enrolment,
        in_words,
        predict,
        wilson,
    )
    from facecourse.strangers import calibrate, crowds, in_turns, open_set, save_decision
    from facecourse.embedding_map import map_of_embeddings, neighbours_agree
    from facecourse.mistakes import show_misnamed, show_worst_pairs
    from facecourse.plotting_evaluation import (
        plot_by_photos,
        plot_confusion,
        plot_far_frr,
        plot_map,
        plot_roc,
    )
    from facecourse.plotting_faces import face_crop, show_faces, show_pairs
    from facecourse.selection import select_head
    from facecourse.saved_head import load_head
    from facecourse.verification import (
        fill_in,
        official_pairs,
        pairs_among,
        read_pairs,
        roc,
        similarities,
        tar_at_far,
        ten_folds,
    )

    # 05_deploy_lambda
    from facecourse.deployment import (
        YES,
        CloudError,
        build_bundle,
        build_package,
        bundle_parity,
        choose_variant,
        compare_variants,
        cost_table,
        deploy,
        describe_bucket,
        example_photo,
        lfw_loss,
        make_bucket,
        make_variants,
        measure_function,
        names_for,
        open_cloud,
        package_contents,
        show_plan,
        tear_down,
        upload,
    )
    from facecourse.plotting_deployment import draw_route, plot_variants

    # 06_try_it
    from facecourse.colab import upload_in_colab
    from facecourse.endpoint import EndpointError, endpoint_url
    from facecourse.plotting_results import plot_result
    from facecourse.tryout import Desk, Enrolment, Result, names_at, photos_at
    from facecourse.widgets import TryIt, try_it

    # 07_scale_out
    from facecourse.distributed import DistributedTrainer, train_with, trainer_for
    from facecourse.strangers import load_decision
    from facecourse.large_gallery import (
        LargeGallery,
        build_index,
        exact_search,
        far_by_size,
        noisy_copies,
        synthetic_people,
    )
    from facecourse.plotting_scale import plot_growth, plot_memory, plot_projection
    from facecourse.scale import kill_worker, plan, plain_loop, read_table, run_shards, throughput, with_ray
    from facecourse.scale_inputs import InputError, list_photos
    from facecourse.scale_projection import Assumed, Measured, project
    from facecourse.dataset import photo_path
    from facecourse.settings import require

_ROOM_OF = {
    helper.name: node.module
    for node in ast.walk(ast.parse(Path(__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and node.module.startswith(("facecourse.", "lambda_function."))
    for helper in node.names
}


def __getattr__(name: str) -> object:
    """Import a helper of the index."""
    if name not in _ROOM_OF:
        raise AttributeError(f"utils has no helper {name!r}; dir(utils) lists them all")
    globals()[name] = helper = getattr(importlib.import_module(_ROOM_OF[name]), name)
    return helper


def __dir__() -> list[str]:
    """List the helpers."""
    return sorted(_ROOM_OF)
