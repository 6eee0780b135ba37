libview_la_SOURCES += src/script/script.h src/script/room.c src/script/room.h src/script/scene_load.c
