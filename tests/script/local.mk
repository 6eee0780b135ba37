if HAVE_CMOCKA
check_PROGRAMS += tests/run_script
TESTS += tests/run_script
endif
tests_run_script_SOURCES = $(unit_main) tests/script/test_run.c tests/script/test_lab.c tests/script/test_tensor.c tests/script/test_model.c tests/script/test_nn.c
tests_run_script_CPPFLAGS = $(unit_cppflags)
tests_run_script_LDADD = $(unit_ldadd) $(JANSSON_LIBS)
