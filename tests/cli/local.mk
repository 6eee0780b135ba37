TESTS += tests/cli/usage.sh tests/cli/man.sh tests/cli/places.sh tests/cli/examples.sh tests/cli/checkpoint.sh
dist_check_SCRIPTS += tests/cli/usage.sh tests/cli/man.sh tests/cli/places.sh tests/cli/examples.sh tests/cli/checkpoint.sh
EXTRA_DIST += tests/cli/tap.sh
