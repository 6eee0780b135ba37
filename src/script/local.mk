libview_la_SOURCES += src/script/script.h src/script/room.c src/script/room.h src/script/scene_load.c src/script/run_call.c src/script/run_reward.c \
	src/script/run_file.c src/script/run_file.h src/script/run_lib.c src/script/run_lib.h src/script/run_rng.c src/script/run_room.h
libview_la_SOURCES += src/script/api.h src/script/api.c src/script/api_doc.h src/script/api_doc.c src/script/lab.h src/script/lab.c src/script/lab_lib.h src/script/lab_lib.c src/script/lab_repl.c \
	src/script/lua_lab.c src/script/lua_json.c src/script/lua_plot.c src/script/run_start.h src/script/run_start.c src/script/lua_series.h src/script/lua_series.c src/script/run_place.h src/script/run_place.c \
	src/script/lua_run.h src/script/lua_train.c src/script/lua_rl.c src/script/lua_eval.c
libview_la_SOURCES += src/script/lua_forward.h src/script/lua_forward.c src/script/lua_tensor.h src/script/lua_tensor.c \
	src/script/lua_tensor_math.c src/script/lua_ops.h src/script/lua_ops.c src/script/lua_model.h src/script/lua_model.c src/script/lua_with.c \
	src/script/lua_watch.h src/script/lua_watch.c src/script/lua_generate.c src/script/lua_compare.c src/script/lua_tape.c
libview_la_SOURCES += src/script/lua_nn.h src/script/lua_nn.c
