"""From the trained model to a function behind a URL: where each step of notebook 05 lives.

bundle.py            networks, gallery, threshold and version in one folder; parity with torch
variants.py          32, 16 and 8 bits compared
package.py           the function's code and libraries as a zip
function_speed.py    cold start, warm answer and memory of that zip
costs.py             what would be created, and what it costs
cloud.py             a local stand-in for AWS, or AWS after an explicit yes
storage.py           S3
local_function.py    the function on this machine, without a cloud
stack.py             the SAM template's stack: made, and torn down with proof
"""

from facecourse.bundle import build_bundle, bundle_parity
from facecourse.cloud import YES, Cloud, CloudError, open_cloud
from facecourse.costs import cost_table, show_plan
from facecourse.function_speed import FunctionSpeed, example_photo, measure_function
from facecourse.local_function import LocalFunction
from facecourse.package import PackageError, build_package, package_contents
from facecourse.stack import Deployment, deploy, names_for, tear_down
from facecourse.storage import Stored, describe_bucket, make_bucket, upload
from facecourse.variants import choose_variant, compare_variants, lfw_loss, make_variants

__all__ = [
    "YES",
    "Cloud",
    "CloudError",
    "Deployment",
    "FunctionSpeed",
    "LocalFunction",
    "PackageError",
    "Stored",
    "build_bundle",
    "build_package",
    "bundle_parity",
    "choose_variant",
    "compare_variants",
    "cost_table",
    "deploy",
    "describe_bucket",
    "example_photo",
    "lfw_loss",
    "make_bucket",
    "make_variants",
    "measure_function",
    "names_for",
    "open_cloud",
    "package_contents",
    "show_plan",
    "tear_down",
    "upload",
]
