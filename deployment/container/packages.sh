#!/bin/sh
# In the build of an image: installs the extras that EXTRAS names and PyTorch if TORCH says so, tells what each takes, and
# writes the bill of materials. Run in a folder with the locks, pyproject.toml and deployment/; /packages has the rest.
set -eu
: "${EXTRAS:=}" "${TORCH:=}"

export PYTHONPATH=/packages
size_mb() { du -sm "$1" | cut -f1; }
# Installed apart, and then put beside: pip leaves out a folder that is there, and several packages share azure, google
# and opentelemetry.
add() {
    pip install --quiet --target /added "$@"
    cp -a --no-clobber /added/. /packages/
    rm -r /added
}

# A fifth of all: the tests that libraries carry with them, and ONNX Runtime's library for programs in C, all of which
# its Python module has within itself.
rm /packages/onnxruntime/capi/libonnxruntime.so.*
for name in numpy pandas scipy sklearn; do
    find "/packages/$name" -type d -name tests -prune -exec rm -r {} +
done
echo "packages of requirements.txt: $(size_mb /packages) MB"
cp requirements.txt lock.txt
for extra in $EXTRAS; do
    before=$(size_mb /packages)
    python -m deployment.supply.extras "$extra" --here --without lock.txt >extra.txt
    if [ -s extra.txt ]; then
        add --no-deps --require-hashes --requirement extra.txt
        cat extra.txt >>lock.txt
    fi
    echo "extra $extra: $(($(size_mb /packages) - before)) MB more"
done

case "$TORCH" in
    "") ;;
    cpu)
        before=$(size_mb /packages)
        # As pyproject.toml pins it. PyTorch's own index has builds that no lock of ours knows: this one has no hash.
        torch=$(python -c 'import re; print(re.search(r"torch==([\d.]+)", open("pyproject.toml").read())[1])')
        pip freeze --path /packages >there.txt
        add --constraint there.txt "torch==$torch+cpu"
        # Its tests and compilers, a sixth of it; what shares memory between processes stays.
        rm -rf /packages/torch/test
        find /packages/torch -path '/packages/torch/bin/*' ! -name torch_shm_manager -delete
        echo "torch: $(($(size_mb /packages) - before)) MB more"
        ;;
    *)
        echo "TORCH=$TORCH: the only build that can be asked for is cpu" >&2
        exit 2
        ;;
esac

python - <<'END'
import importlib.metadata
import sys

files = [file for package in importlib.metadata.distributions(path=["/packages"]) for file in package.files or ()]
# What is outside are programs; tests were removed.
wanted = [file for file in files if file.suffix == ".py" and not {"..", "tests"} & set(file.parts)]
lost = [str(file) for file in wanted if not file.locate().exists()]
sys.exit(f"{len(lost)} files were not installed, {lost[0]} among them" if lost else 0)
END

# With tools of its own, which are no part of the image.
python -m deployment.supply.extras --package cyclonedx-python-lib --package license-expression --here \
    --without lock.txt >tools.txt
pip install --quiet --no-deps --require-hashes --target /tools --requirement tools.txt
export PYTHONPATH=/packages:/tools
# The page knows what requirements.txt has; what extras bring is looked up in what was installed.
python -m deployment.supply licences --lock lock.txt --page docs/licences.md || {
    echo "the licences of the extras are not accepted, or cannot be told; see deployment/supply/policy.toml" >&2
    exit 1
}
python -m deployment.supply sbom --lock lock.txt --page docs/licences.md --output sbom.cdx.json
