"""The one import of every notebook: an index of the course's helpers, one block per notebook."""

# ruff: noqa: F401, I001
# Everywhere
from facecourse.report import empty_report, load_report, record, stage
from facecourse.settings import MissingInput, outputs_for
from lambda_function.crops import Preprocessing, crop_face, similarity_transform
from lambda_function.gallery import Gallery, Match
from lambda_function.photos import PhotoError, open_photo
from lambda_function.pipeline import BundleError, Embedder, Recogniser

# 01_assemble_dataset

# 02_detect_faces

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
from facecourse.plotting import LiveHistory, figure, plot_history, plot_learning_rate_range, plot_recipes
from facecourse.plotting_evaluation import plot_scores
from facecourse.recipes import (
    compare_recipes,
    imagenet_pixels,
    pooled,
    run_original,
    run_ours,
    seconds_per_forward,
)
from facecourse.recognition import embed_faces, embed_manifest, embedder, onnx_backbone
from facecourse.training import (
    CosineHead,
    Trainer,
    centroids,
    choose_device,
    fit,
    hold_out,
    learning_rate_range,
    photo_sets,
    save_head,
    seed_everything,
)
from facecourse.verification import all_pairs

# 04_evaluate
from facecourse.evaluation import (
    accuracy_by_photos,
    calibrate,
    enrolment,
    open_set,
    save_decision,
    wilson,
)
from facecourse.plotting_evaluation import plot_by_photos, plot_confusion, plot_far_frr, plot_map, plot_roc
from facecourse.plotting_faces import face_crop, show_faces, show_pairs
from facecourse.training import load_head
from facecourse.verification import (
    fill_in,
    official_pairs,
    read_pairs,
    roc,
    similarities,
    tar_at_far,
    ten_folds,
)

# 05_deploy_lambda

# 06_try_it
