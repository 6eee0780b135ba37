liblathe_la_SOURCES += src/train/settings.h src/train/settings.c src/train/source.h src/train/train.h src/train/state.h src/train/update.h \
	src/train/params.c src/train/balance.c src/train/adamw.c src/train/schedule.c src/train/pack.c src/train/loss.h src/train/loss.c src/train/recompute.c \
	src/train/loop.c src/train/sample.c src/train/gate.c \
	src/train/save.h src/train/save.c src/train/save_place.c src/train/save_tensors.c src/train/save_state.c
