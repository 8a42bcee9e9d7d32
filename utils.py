"""The one import of every notebook: an index of the course's helpers, one block per notebook."""

# ruff: noqa: F401
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

# 04_evaluate

# 05_deploy_lambda

# 06_try_it
