"""Run make targets side by side: the first group's output as it comes, the other's when both have ended.

Most tests keep one core busy and wait for the disk, the network or a subprocess half of the time.
"""

import subprocess
import sys
import tempfile


def main(shown: str, hidden: str) -> int:
    """Run two groups of targets, "target target ...", as one make each; return how many of them failed."""
    command = ["make", "--no-print-directory", "--keep-going"]
    with tempfile.TemporaryFile() as log:
        other = subprocess.Popen([*command, *hidden.split()], stdout=log, stderr=subprocess.STDOUT)
        try:
            failed = subprocess.run([*command, *shown.split()]).returncode != 0
            failed += other.wait() != 0
        finally:
            other.terminate()  # does nothing to one that has ended
        log.seek(0)
        print(f"\n==== {hidden} ====\n{log.read().decode(errors='replace')}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
