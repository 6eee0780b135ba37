TESTS += tests/cli/usage.sh tests/cli/man.sh tests/cli/places.sh tests/cli/examples.sh tests/cli/checkpoint.sh tests/cli/train.sh tests/cli/run.sh tests/cli/rl.sh tests/cli/watch.sh tests/cli/twins.sh tests/cli/fp8.sh
dist_check_SCRIPTS += tests/cli/usage.sh tests/cli/man.sh tests/cli/places.sh tests/cli/examples.sh tests/cli/checkpoint.sh tests/cli/train.sh tests/cli/run.sh tests/cli/rl.sh tests/cli/watch.sh tests/cli/twins.sh tests/cli/fp8.sh
EXTRA_DIST += tests/cli/tap.sh
