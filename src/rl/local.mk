liblathe_la_SOURCES += src/rl/settings.h src/rl/settings.c src/rl/advantage.h src/rl/advantage.c src/rl/sample.h src/rl/sample.c \
	src/rl/route.h src/rl/route.c src/rl/critic.h src/rl/critic.c src/rl/rollout.h src/rl/rollout.c src/rl/policy.h src/rl/policy.c \
	src/rl/lab.h src/rl/rl.h src/rl/rl.c src/rl/learn.c src/rl/keep.c
