#!/bin/sh
# Debian packages that tests use beside what is in the virtual environment. Installs the missing
# ones as root on a Debian; elsewhere says which tests will be skipped.
set -u

missing=""
for pair in postgresql:/usr/lib/postgresql/*/bin/postgres pgbouncer:/usr/sbin/pgbouncer \
    prometheus:/usr/bin/prometheus prometheus-alertmanager:/usr/bin/prometheus-alertmanager \
    prometheus-pushgateway:/usr/bin/prometheus-pushgateway chromium:/usr/bin/chromium; do
    package=${pair%%:*}
    # The pattern after the colon is meant to expand.
    # shellcheck disable=SC2086
    set -- ${pair#*:}
    [ -x "$1" ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing …"
    # A server of its own would be started by the package; the tests start theirs.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    # shellcheck disable=SC2086
    if apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
fi
echo "Not installed:$missing. Tests that need them are skipped, and say so."
