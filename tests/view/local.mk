if HAVE_CMOCKA
check_PROGRAMS += tests/run_view
TESTS += tests/run_view
endif
tests_run_view_SOURCES = $(unit_main) tests/view/rig.h tests/view/test_grid.c tests/view/test_layout.c tests/view/test_facts.c tests/view/test_app.c \
	tests/view/test_views.c tests/view/test_inside.c tests/view/test_trace.c tests/view/test_rl.c tests/script/test_scene.c tests/screen/test_screen.c
tests_run_view_CPPFLAGS = $(unit_cppflags)
tests_run_view_LDADD = $(unit_ldadd)
include tests/screen/local.mk
