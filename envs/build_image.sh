#!/bin/sh
# What the image consists of, on Debian 12: Dockerfile and ictograph.def both run this, so that neither says it again.
# Expects requirements.lock beside itself. The project is not in the image: its folder is mounted where it lies.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
apt-get update
# git: the record of what made a result names the commit. bash comes with Debian, make is not needed (the lock is in).
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates git python3.11 python3.11-venv
apt-get clean
rm -rf /var/lib/apt/lists/*
python3.11 -m venv "$here/venv"
"$here/venv/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --requirement "$here/requirements.lock"
