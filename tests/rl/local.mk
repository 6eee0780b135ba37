check_PROGRAMS += tests/run_rl
TESTS += tests/run_rl
tests_run_rl_SOURCES = $(unit_main) tests/rl/stand.c tests/rl/stand.h tests/rl/test_losses.c tests/rl/test_rollout.c tests/rl/test_learn.c
tests_run_rl_CPPFLAGS = $(unit_cppflags)
tests_run_rl_LDADD = $(unit_ldadd) -lm
EXTRA_DIST += tests/data/rl
