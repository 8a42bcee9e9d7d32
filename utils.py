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
    from facecourse.core.report import record
    from facecourse.detection.faces_pictures import show_faces
    from facecourse.embedding.backbones import default_backbone, default_views, find_backbone
    from facecourse.embedding.embeddings import embed_manifest
    from facecourse.embedding.galleries import load_gallery
    from facecourse.embedding.photo_sets import photo_sets
    from facecourse.lessons.course_map import draw_map
    from facecourse.lessons.exercises import check
    from facecourse.metrics.uncertainty import share_of
    from facecourse.photos.dataset import load_manifest
    from lambda_function.photos import open_photo

    # 01_assemble_dataset
    from facecourse.app.uploads import upload_people
    from facecourse.core.sources import load_sources
    from facecourse.detection.faces_pictures import face_crop
    from facecourse.lessons.assembling import (
        check_planted,
        plot_photos_per_person,
        plot_splits,
        show_collection,
        show_hashes,
        show_people,
        show_problems,
    )
    from facecourse.photos.checks import summary
    from facecourse.commons.collect import collect_people, collection_summary, names_to_collect
    from facecourse.photos.dataset import assemble, load_checks
    from facecourse.photos.flags import set_flag
    from facecourse.photos.splits import find_leaks

    # 02_detect_faces
    from facecourse.core.sources import lfw_pairs
    from facecourse.detection.detector import mtcnn_folder
    from facecourse.detection_lesson.alignment import (
        CROPS,
        alignment_effect,
        celebrity_faces,
        cropped,
        show_aligned,
    )
    from facecourse.detection_lesson.failures import (
        compare_on_portraits,
        compare_on_truth,
        failures,
        photos_of,
        show_failures,
    )
    from facecourse.detection_lesson.stages import (
        ablation,
        animate_nms,
        draw_cascade,
        explore_settings,
        plot_ablation,
        plot_costs,
        plot_heat_maps,
        plot_network,
        plot_pyramid,
        plot_stages,
        plot_windows,
        stage_table,
        trace,
    )
    from facecourse.detection_lesson.truth import (
        RULES,
        accuracy_on_lfw,
        changed_photos,
        find_true_faces,
        found_when_changed,
        plot_found,
        roll_of,
        rules_on_groups,
    )
    from facecourse.metrics.verification import official_pairs
    from facecourse.photos.truth import true_faces
    from lambda_function.area import IntegralImage
    from lambda_function.crops import TEMPLATE

    # 03_finetune
    from facecourse.core.paths import outputs_for
    from facecourse.embedding.backbones import save_backbone
    from facecourse.embedding.embeddings import load_crops
    from facecourse.embedding.galleries import save_gallery
    from facecourse.embedding.photo_sets import centroids
    from facecourse.heads.cosine import CosineHead
    from facecourse.heads.finetuning import (
        LastBlock,
        Tail,
        augmented,
        compare_tuning,
        features_before_last_block,
        tuning_photos,
        tuning_scores,
        with_tail,
    )
    from facecourse.heads.training import Trainer, fit, learning_rate_range, seed_everything
    from facecourse.lessons.evaluating import plot_scores
    from facecourse.lessons.training import (
        LiveHistory,
        angles,
        draw_backbone,
        plot_circles,
        plot_learning_rate_range,
        plot_margins,
        plot_tuning,
        show_embeddings,
        show_similarities,
    )
    from facecourse.metrics.identification import compare_heads, counted, identify, own_people, predict
    from facecourse.metrics.verification import all_pairs
    from lambda_function.gallery import Gallery

    # 04_evaluate
    from facecourse.core.sources import SourceError
    from facecourse.embedding.embeddings import embed_faces
    from facecourse.embedding.photo_sets import PhotoSet
    from facecourse.heads.cosine import select_head
    from facecourse.lessons.evaluating import (
        map_of_embeddings,
        neighbours_agree,
        plot_by_photos,
        plot_confusion,
        plot_det,
        plot_errors,
        plot_fpir_fnir,
        plot_hills,
        plot_map,
        plot_reliability,
        plot_robustness,
        plot_roc,
        show_misnamed,
        show_worst_pairs,
    )
    from facecourse.lessons.kinship import plot_similarity, similarity_by_condition, similarity_by_kinship
    from facecourse.lessons.robustness import robustness
    from facecourse.metrics.identification import accuracy_by_photos, compare_enrolment, load_sides, ranks
    from facecourse.metrics.impostors import BINS, compare_all, compare_networks, shipped_table
    from facecourse.metrics.open_set import (
        cohort_by_size,
        cross_validated_rates,
        evidence_for,
        open_set,
        rates_with_intervals,
        reliability,
        tpir_at_fpir,
        trained_on,
    )
    from facecourse.metrics.uncertainty import compare_shares
    from facecourse.metrics.verification import (
        embed_undetected,
        pairs_among,
        similarities,
        tar_at_fmr,
        tar_interval,
        ten_folds,
    )
    from facecourse.photos.checks import doubled_people, wrongly_named
    from facecourse.photos.lists import in_training_data, perceived_groups
    from facecourse.photos.truth import true_conditions

    # 05_deploy_lambda
    from facecourse.app.pictures import plot_result
    from facecourse.app.session import Result
    from facecourse.deployment.aws import (
        deploy,
        describe_bucket,
        make_bucket,
        make_stack,
        names_for,
        new_key,
        publish_people,
        tear_down,
        upload,
    )
    from facecourse.deployment.bundle import build_bundle, export_parity, model_version
    from facecourse.deployment.cloud import open_cloud
    from facecourse.deployment.costs import cost_table, show_plan
    from facecourse.deployment.package import build_package, example_photo, measure_function, package_contents
    from facecourse.deployment.variants import choose_variant, compare_variants
    from facecourse.lessons.deploying import draw_route, plot_variants, show_filter, show_source
    from lambda_function.app import Application
    from lambda_function.pipeline import Recogniser
    from lambda_function.recognition import recognise

    # 06_try_it
    from facecourse.app.endpoint import enrol_there, forget_there
    from facecourse.app.pages import meaning
    from facecourse.app.session import RecognitionSession, names_at, photos_at
    from facecourse.app.widgets import try_it
    from facecourse.core.colab import upload_in_colab

    # 07_scale_out
    from facecourse.core.paths import require
    from facecourse.core.sources import lfw_photos
    from facecourse.photos.dataset import photo_path
    from facecourse.scale.galleries import (
        build_index,
        exact_search,
        noisy_copies,
        rates_by_size,
        synthetic_people,
    )
    from facecourse.scale.pictures import plot_growth, plot_memory, plot_projection
    from facecourse.scale.projection import Assumed, Measured, project
    from facecourse.scale.shards import kill_worker, plan, read_table, run_shards, throughput, with_ray

    # 08_failures_and_attacks
    from facecourse.detection.detector import detector
    from facecourse.optional.attacks import (
        error_versus_reject,
        fmr_by_group,
        people_to_choose_on,
        plot_importance,
        plot_rates,
        plot_rejection,
        plot_turns,
        recaptured,
        relation,
        turn_frames,
        turned_flat,
    )
    from lambda_function.crops import tta_crops
    from lambda_function.faces import select_face

    # 09_your_album
    from facecourse.optional.album import (
        album_faces,
        album_files,
        camera,
        chinese_whispers,
        cluster_scores,
        compare_clusterings,
        corrections,
        plot_cluster_curves,
        plot_frames,
    )
    from facecourse.metrics.uncertainty import drawn_anew
    from facecourse.photos.truth import true_kinship, true_names

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
