libview_la_SOURCES += src/script/script.h src/script/room.c src/script/room.h src/script/scene_load.c src/script/run_call.c \
	src/script/run_file.c src/script/run_file.h src/script/run_lib.c src/script/run_lib.h src/script/run_rng.c src/script/run_room.h
