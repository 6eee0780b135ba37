/* run_file.h - a run's configuration: a Lua file that returns a table of settings, a model, and functions that make the data. It is
 * read in a closed room (room.h, run_lib.h), which lives on for the functions as long as the RunFile does.
 *
 *     return {
 *         name = "addition", out = "runs/addition", tokenizer = "@reason",
 *         model = { model_type = "deepseek_v3", hidden_size = 48, ... },  or  from = "@reason",
 *         steps = 300, lr = 1e-3, ...                                     every name of train/settings.h
 *         data = { get = function(rng, split, row, i) return { prompt = "1+1=", answer = "2" } end },
 *         exam = { max_new = 16, ask = function(rng, i) return { prompt = "1+1=", level = 1 } end,
 *                  judge = function(problem, text) return right, answer end },
 *     }
 *
 * A sample is a function of (seed, split, row, i): rng is keyed by these and made anew for each call. split is "train" or "held_out". */
#ifndef SCRIPT_RUN_FILE_H
#define SCRIPT_RUN_FILE_H
#include "base/buf.h"
#include "base/err.h"
#include "rl/rl.h"
#include "train/settings.h"
#include "train/source.h"

/* Memory of the Lua side, steps of its machine for reading a file and for one call of a function, and seconds of computing for each. */
enum { RUN_MEMORY = 128 << 20, RUN_SECONDS = 5, RUN_STEPS_READ = 30 * 1000 * 1000, RUN_STEPS_CALL = 20 * 1000 * 1000 };

typedef struct RunRoom RunRoom;

/* Texts live as long as the RunFile; NULL: not given. */
typedef struct RunFile {
	TrainSettings settings;    /* may be changed after opening: the data follows settings.seed */
	const char *name;          /* never NULL: the file's own name without .lua when none is given */
	const char *model;         /* config.json as text, keys in order; NULL: `from` */
	const char *from;          /* a checkpoint */
	const char *attention;     /* a word: mla, mha, gqa, mqa */
	const char *tokenizer;     /* "@NAME" in the box, or a path */
	const char *out;
	int kv_heads;              /* 0: not given */
	bool has_data, has_exam;
	bool is_rl;                /* of reinforcement learning: */
	RlSettings rl;             /* ... its settings */
	RlTask task;               /* ... its problems, those of the exam in both splits, and their rewards (run_reward.c) */
	Source source;             /* with has_data */
	Exam exam;                 /* with has_exam */
	RunRoom *room;
} RunFile;

/* lua_dir: where the modules lie ("lathe.tasks" is LUA_DIR/lathe/tasks.lua). NULL with E_8001 (the file or a module is wrong), E_8002
 * (over its limits), E_8003 (a field or setting is wrong) or E_4xxx. Not thread-safe: one thread at a time. */
RunFile *run_file_open(const char *path, const char *lua_dir, Err *e);
/* The same for reinforcement learning: every name of rl/settings.h too; `exam`, whose ask(rng, i, split) gives problems of either split, or
 * `task`, a name of lathe/tasks.lua; and `reward`, a function of { text, answer, truth, right, thinks, length, ended, problem }. No `data`
 * is needed. */
RunFile *run_rl_open(const char *path, const char *lua_dir, Err *e);
void run_file_free(RunFile *f);

/* Only an exam, by a name of lathe/tasks.lua ("mult2", "chain6", "add"); level 0: all levels that the name has. Its problems are the
 * held-out ones, the same for everybody. Freed by run_file_free. */
RunFile *run_exam_open(const char *task, int level, const char *lua_dir, Err *e);
/* The task that a model's card names: the field "task" of DIR/card.json. False: E_4001 (no card), E_8003 (no task in it). */
bool run_exam_task(const char *dir, Buf *task, Err *e);
#endif
