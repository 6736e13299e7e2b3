#!/bin/bash
# Whether the API on this machine is ready: the image has no curl, and needs none.
#
#   healthcheck.sh PORT
set -eu
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
