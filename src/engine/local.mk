liblathe_la_SOURCES += src/engine/lathe.h src/engine/engine.h src/engine/model.c src/engine/watch.c \
	src/engine/sample.h src/engine/sample.c src/engine/session.c src/engine/token.c src/engine/batch.c src/engine/draft.c \
	src/engine/verify.h src/engine/verify.c src/engine/verify_train.h src/engine/verify_train.c src/engine/compare.h src/engine/compare.c src/engine/bench.h src/engine/bench.c src/engine/bench_parts.h src/engine/bench_train.c
liblathe_la_SOURCES += src/engine/bus.c src/engine/bus.h src/engine/card.c src/engine/card.h src/engine/client.c src/engine/client.h \
	src/engine/hooks.c src/engine/hooks.h src/engine/jobs.c src/engine/jobs.h src/engine/orders.c src/engine/forms.c src/engine/place.c src/engine/place.h \
	src/engine/publish.c src/engine/publish.h src/engine/run.c src/engine/serve.c src/engine/serve.h src/engine/viewer.c src/engine/viewer.h \
	src/engine/once.h src/engine/once.c src/engine/crowd.h src/engine/crowd.c src/engine/train_watch.h src/engine/train_watch.c
