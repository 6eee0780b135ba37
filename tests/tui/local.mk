check_PROGRAMS += tests/run_tui
TESTS += tests/run_tui tests/tui/screen.sh tests/tui/train.sh tests/tui/inside.sh tests/tui/trace.sh tests/tui/rl.sh
tests_run_tui_SOURCES = $(unit_main) tests/tui/test_keys.c tests/tui/test_paint.c tests/tui/test_guard.c
tests_run_tui_CPPFLAGS = $(unit_cppflags) $(VTERM_CFLAGS)
tests_run_tui_LDADD = $(unit_ldadd) $(VTERM_LIBS)
dist_check_SCRIPTS += tests/tui/screen.sh tests/tui/train.sh tests/tui/inside.sh tests/tui/trace.sh tests/tui/rl.sh
