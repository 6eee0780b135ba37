lathe_SOURCES += src/cli/main.c src/cli/args.c src/cli/args.h src/cli/cmd.h src/cli/list.c src/cli/help.c src/cli/help.h \
	src/cli/man.c src/cli/man_lua.c src/cli/paths.c src/cli/report.c src/cli/report.h src/cli/runs_beside.h src/cli/runs_beside.c src/cli/workbench.c src/cli/workbench.h \
	src/cli/cmd_open.c src/cli/cmd_doctor.c src/cli/cmd_help.c src/cli/cmd_explain.c
lathe_SOURCES += src/cli/model_args.c src/cli/model_args.h src/cli/cmd_generate.c src/cli/generate_batch.c src/cli/generate_batch.h \
	src/cli/cmd_record.c src/cli/cmd_train.c src/cli/cmd_rl.c src/cli/run_loop.h src/cli/run_loop.c src/cli/run_setup.h src/cli/run_setup.c src/cli/cmd_eval.c src/cli/cmd_run.c src/cli/cmd_repl.c src/cli/lab_process.h src/cli/lab_process.c src/cli/cmd_verify.c src/cli/verify_cases.h src/cli/verify_cases.c src/cli/cmd_diff.c src/cli/cmd_fp8.c \
	src/cli/cmd_bench.c src/cli/bench_start.c src/cli/bench_start.h
lathe_SOURCES += src/cli/cmd_engine.c src/cli/cmd_attach.c src/cli/cmd_replay.c src/cli/stream_report.c src/cli/stream_report.h
lathe_SOURCES += src/cli/cmd_info.c src/cli/cmd_kv.c src/cli/cmd_tokenize.c src/cli/cmd_convert.c src/cli/convert.h src/cli/convert_plan.c src/cli/convert_write.c \
	src/cli/convert_config.c src/cli/units.c src/cli/units.h
lathe_SOURCES += src/cli/cmd_scene.c
