"""Builds a Python environment on top of the interpreter that runs this.

Arguments: the environment's directory, which exists, and the requirements file.
"""

import os
import subprocess
import sys
import venv

directory, requirements = sys.argv[1:]
os.umask(0o022)
venv.EnvBuilder(system_site_packages=True, symlinks=True, with_pip=True).create(directory)
python = os.path.join(directory, "bin", "python3")
if sys.prefix != sys.base_prefix:
    # An environment on top of another one sees the system's packages, and not the other's.
    below = [path for path in sys.path if path.startswith(sys.prefix + os.sep)]
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    with open(os.path.join(packages.stdout.strip(), "odoo_deploy_below.pth"), "w") as file:
        file.write("\n".join(below) + "\n")
pip = [python, "-m", "pip", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
install = ["install", "--progress-bar", "off", "--no-warn-script-location", "-r", requirements]
os.chdir(os.path.dirname(requirements))
sys.exit(subprocess.run(pip + install).returncode)
