# The pipeline: which artifact is made from what, and every command that a person types.
#
# Made in two passes. The first installs what is missing, compiles, and works out the
# settings of the run (slurm/run); it then calls this file again with DATA set, and the
# dependency lines below say what is left to do. A program is an order-only
# prerequisite: a rebuild never throws finished training away.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:
include stages/build.mk

# `=` and not `?=`: the command line decides, a variable of the same name that happens to
# be in somebody's environment does not.
## CONFIG=FILE.yaml  the experiment: that path, or else configs/FILE.yaml
CONFIG = quickstart.yaml
## RUN=NAME  the folder results/NAME (default: the config's base name)
RUN = $(basename $(notdir $(call given,CONFIG)))
## SET='search.population=20 supernet.steps=1000'  settings that override the config's
SET =
## NET=NAME  retrain and evaluate this network instead of retrain.networks (see there)
NET =
## THREADS=N  threads of a stage (default: the processors this process may use)
THREADS =
## SHARDS=N  parts in which rankcorr judges its paths: on a cluster, as many jobs
SHARDS = 1
## SKIP_BROKEN=1  import images without those that are broken (default: list them, stop)
SKIP_BROKEN =
## VARIANT=release|debug|san  which build runs
## EXECUTOR=slurm|local  Slurm jobs or this machine (default: Slurm where it answers)
EXECUTOR =
## WAIT=1  with Slurm: wait for the jobs, and show how they are doing
WAIT =
STAGE =
FOLLOW =
## JOB='greedy.time=12:00:00 partition=long'  what jobs ask for (see slurm/resources.yaml)
JOB =
## SITE=FILE  this cluster's ways (default: slurm/site.yaml, see slurm/site.example.yaml)
SITE = slurm/site.yaml
## RESULTS=FOLDER, DATA_FOLDER=FOLDER  where artifacts go (default: results and data)
RESULTS = $(scratch)results
DATA_FOLDER = $(scratch)data
## CLUSTER=FOLDER  where cluster-up keeps its Slurm (default: /tmp/greedynas-cluster)
CLUSTER = /tmp/greedynas-cluster
NODES = 4

OUT = $(RESULTS)/$(RUN)
# Where the settings of the stages are looked up; a dry run has them elsewhere.
SETTINGS = $(OUT)
DATA_SETTINGS = $(DATA:.h5=.yaml)
# Table 4: net1 is search_uniform, net6 is search, and net5 has greedy's supernet.
ABLATION := ablation/net2/greedy ablation/net2/search ablation/net3/greedy \
	ablation/net3/search ablation/net4/greedy ablation/net4/search ablation/net5/search
# Supernets to compare with, and what was found in them.
SEARCHES := search_uniform search_uniform_e search_fairnas search_fairnas_e random
BASELINES := uniform fairnas uniform_e fairnas_e $(SEARCHES)
STAGES := warmup greedy search rankcorr $(BASELINES) $(ABLATION)
GOALS := data latency warmup greedy search rankcorr $(BASELINES) searches ablation retrain evaluate all

quote = '$(subst ','\'',$1)'
# A variable's value; what was typed is taken as it is, `$` and all.
given = $(if $(filter command,$(firstword $(origin $1))),$(value $1),$($1))
quoted = $(call quote,$(call given,$1))
# The site's folder for results and data, if it has one.
scratch := $(addsuffix /,$(shell awk -f slurm/yaml.awk -f slurm/value.awk -v key=scratch $(call quoted,SITE) 2>/dev/null))
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
this_run = --results=$(call quoted,RESULTS) --run=$(call quoted,RUN)
# The variables that were typed: what to type again after `make search`.
typed = $(strip $(foreach v,CONFIG RUN SET NET THREADS SHARDS SKIP_BROKEN VARIANT RESULTS DATA_FOLDER \
	EXECUTOR JOB SITE,$(if \
	$(filter command,$(firstword $(origin $v))),$v=$(call quote,$(value $v)))))

ZOO = $(sort $(wildcard configs/zoo/*.yaml))

##@ first steps
.PHONY: help setup build $(GOALS)
help: ## this text
	@awk -f slurm/help.awk $(MAKEFILE_LIST)
setup: ## install what is missing (with apt, as root or sudo), or say what to install
	+@slurm/setup $(dry_run) $(setup_facts) build images test
build: setup-build ## compile the programs (VARIANT=release|debug|san)
	+@$(MAKE) --no-print-directory $(jobs) programs

##@ the pipeline: each makes what it needs first, and goes on where it was stopped
data: ## import the images: data/<dataset.name>.h5
latency: ## time the parts of the networks here, or import the times that a phone takes
warmup: ## train the supernet with uniformly drawn paths
greedy: ## go on training with the paths that do best (Algorithms 1 and 2)
search: ## find the architecture (NSGA-II), and print it
uniform: ## a supernet to compare with: uniform sampling throughout (uniform_e: greedy's cost)
fairnas: ## another: every choice of every layer in each step (fairnas_e: greedy's cost)
searches: ## the search on each of these; `random`: random search, the baseline
rankcorr: ## Table 3: how well rankings by untrained, uniform and greedy supernets agree
ablation: ## Table 4: the greedy training and the search without one part or another
retrain: ## train networks from scratch: those of retrain.networks, or NET=
evaluate: ## judge them on the test images, and time them
all: ## every artifact there is, the tables and the report
ifneq ($(origin DATA),command line)
all: setup-tables
$(GOALS): setup-run
	+@$(MAKE) --no-print-directory $(jobs) programs
	+@slurm/run $(dry_run) $(this_run) --goal=$@ --config=$(call quoted,CONFIG) \
		--set=$(call quoted,SET) --net=$(call quoted,NET) --data-folder=$(call quoted,DATA_FOLDER) \
		--threads=$(call quoted,THREADS) --shards=$(call quoted,SHARDS) \
		--build=$(BUILD) --typed=$(call quote,$(typed)) \
		--executor=$(call quoted,EXECUTOR) --job=$(call quoted,JOB) --site=$(call quoted,SITE) \
		$(WAIT:%=--wait) --make='$(MAKE)'
.PHONY: estimate
estimate: setup-build ## what it would cost: core-hours, memory, disk; the share of feasible paths
	+@$(MAKE) --no-print-directory $(jobs) programs >&2
	@slurm/estimate $(this_run) --config=$(call quoted,CONFIG) \
		--set=$(call quoted,SET) --data-folder=$(call quoted,DATA_FOLDER) \
		--threads=$(call quoted,THREADS) --build=$(BUILD)
# Two goals of one run are made one after the other, whatever -j says.
ifneq ($(filter $(GOALS),$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
endif

##@ looking at a run
.PHONY: status logs efficiency resubmit cancel graph tables report
status: ## table of the stages: state, step, loss, ETA, what to type next (RUN=all: every run)
	+@slurm/status $(this_run) --make='$(MAKE)'
logs: ## the last lines of a stage's log (STAGE=greedy, FOLLOW=1 to keep watching)
	@slurm/logs $(this_run) --stage=$(call quoted,STAGE) $(FOLLOW:%=--follow)
efficiency: ## processors, memory and time that the stages used, of what was asked for
	@slurm/efficiency $(this_run)
resubmit: ## Slurm: submit again what failed or is missing, with its settings (STAGE=, JOB=)
	+@slurm/resubmit $(this_run) --stage=$(call quoted,STAGE) --typed=$(call quote,$(typed)) \
		$(if $(filter command,$(firstword $(origin JOB))),--job=$(call quoted,JOB)) \
		$(if $(filter command,$(firstword $(origin SITE))),--site=$(call quoted,SITE)) \
		--make='$(MAKE)'
cancel: ## Slurm: end the run's jobs, with a checkpoint (STAGE=: only that one)
	@slurm/cancel $(this_run) --stage=$(call quoted,STAGE)
graph: setup-graph ## picture of the stages and their states: results/RUN/graph.svg and .png
	+@slurm/graph $(this_run) --make='$(MAKE)'
tables: setup-tables ## the paper's tables and figures, from what is made so far: results/RUN/tables, figures
	+@$(MAKE) --no-print-directory $(jobs) programs
	@slurm/tables $(this_run) --build=$(BUILD)
report: setup-tables ## all of it, and what the run can and cannot say, on one page: results/RUN/report.html
	+@$(MAKE) --no-print-directory $(jobs) programs
	@slurm/tables $(this_run) --build=$(BUILD) --page

##@ a Slurm of one's own, to try things
.PHONY: cluster-up cluster-down
cluster-up: setup-cluster ## start a private Slurm of NODES=4 virtual nodes on this machine
	@slurm/testbed/cluster up --folder=$(call quoted,CLUSTER) --nodes=$(call quoted,NODES)
cluster-down: ## end its jobs and all of it
	@slurm/testbed/cluster down --folder=$(call quoted,CLUSTER)

##@ developing
.PHONY: test test-slurm zoo bench format clean clean-run
test: setup-test ## every test, or TESTS='FILE ...'; the last line counts them
	+@$(MAKE) --no-print-directory $(jobs) programs unit-programs
	@tests/run --build=$(BUILD) $(TESTS)
slurm_tests = $(wildcard tests/slurm/*.bats)
# They wait most of the time, so all at once; and say why if they cannot have a Slurm.
test-slurm: setup-test ## the tests that need a Slurm: on one of their own
	+@slurm/setup $(dry_run) $(setup_facts) cluster || echo "test-slurm: goes on without"
	+@$(MAKE) --no-print-directory $(jobs) programs
	@tests/run --build=$(BUILD) --jobs=$(words $(slurm_tests)) $(or $(TESTS),$(slurm_tests))
zoo: setup-build ## FLOPs and parameters of published networks, counted and reported
	+@$(MAKE) --no-print-directory $(jobs) $(BUILD)/zoo
	@$(BUILD)/zoo $(ZOO:%=--network=%)
bench: setup-build setup-tables ## measure kernels, networks, scoring; PyTorch in turn with them
	+@$(MAKE) --no-print-directory $(jobs) bench-programs
	@tests/bench/run --build=$(BUILD) --out=results/bench
format: ## lay out the C sources as .clang-format says
	clang-format -i $(wildcard stages/*.[ch] stages/*/*.[ch] tests/*/*.[ch])
clean: ## remove what was compiled
	rm -rf $(BUILD_ROOT)
clean-run: ## remove results/RUN (RUN= must be given)
	@slurm/clean-run $(this_run) $(if $(filter command,$(firstword $(origin RUN))),--named)

# What each of these needs from the machine: quick and silent when all of it is there.
.PHONY: setup-build setup-run setup-test setup-graph setup-tables setup-cluster
setup_facts = --modules=$(call quote,$(PACKAGES)) --libraries=$(call quote,$(LIBRARIES)) \
	--compiler=$(call quote,$(CC)) \
	--config=$(call quoted,CONFIG) --set=$(call quoted,SET)
setup-build: ; +@slurm/setup $(dry_run) $(setup_facts) build
setup-run: ; +@slurm/setup $(dry_run) $(setup_facts) build images
setup-test: ; +@slurm/setup $(dry_run) $(setup_facts) build test
setup-graph: ; +@slurm/setup $(dry_run) $(setup_facts) build graph
setup-cluster: ; +@slurm/setup $(dry_run) $(setup_facts) cluster
setup-tables: ; +@slurm/setup $(dry_run) $(setup_facts) build tables

ifeq ($(origin DATA),command line)
artifact = $(1:%=$(OUT)/%.h5)
# The second pass. One line per artifact, the picture of the pipeline: what it is made
# from, its settings apart, and by which program.
# A table that settings name, if there is one: nobody makes it, but it may be edited.
table = $(wildcard $(filter-out none,$(shell awk -f slurm/yaml.awk -f slurm/value.awk \
	-v key=$1 $(SETTINGS)/$2.yaml 2>/dev/null)))
# Who looks for paths needs the table of latencies where the settings are about them
# (LATENCY=yes, as slurm/run finds).
latency := $(LATENCY:yes=$(OUT)/latency.h5)
$(call artifact,search $(SEARCHES) $(filter ablation/%/search,$(ABLATION))): $(latency)
$(OUT)/latency.h5: $(SETTINGS)/latency.yaml $(call table,latency.table,latency) | $(BUILD)/latency
$(OUT)/warmup.h5: $(DATA) | $(BUILD)/warmup
$(OUT)/greedy.h5: $(OUT)/warmup.h5 $(DATA) | $(BUILD)/greedy
$(OUT)/search.h5: $(OUT)/greedy.h5 $(DATA) | $(BUILD)/search

$(OUT)/uniform.h5: $(DATA) | $(BUILD)/warmup
$(OUT)/fairnas.h5: $(DATA) | $(BUILD)/warmup
$(OUT)/uniform_e.h5: $(OUT)/greedy.h5 $(DATA) | $(BUILD)/warmup
$(OUT)/fairnas_e.h5: $(OUT)/greedy.h5 $(DATA) | $(BUILD)/warmup
$(OUT)/search_uniform.h5: $(OUT)/uniform.h5 $(DATA) | $(BUILD)/search
$(OUT)/search_uniform_e.h5: $(OUT)/uniform_e.h5 $(DATA) | $(BUILD)/search
$(OUT)/search_fairnas.h5: $(OUT)/fairnas.h5 $(DATA) | $(BUILD)/search
$(OUT)/search_fairnas_e.h5: $(OUT)/fairnas_e.h5 $(DATA) | $(BUILD)/search
$(OUT)/random.h5: $(OUT)/uniform.h5 $(DATA) | $(BUILD)/search
truth := $(call table,rankcorr.truth,rankcorr)
ranked := $(OUT)/uniform.h5 $(OUT)/greedy.h5
shards := $(if $(filter-out 1,$(SHARDS)),$(shell seq -f 'rankcorr/%.0fof$(SHARDS)' $(SHARDS)))
$(OUT)/rankcorr.h5: $(if $(shards),$(shards:%=$(OUT)/%.h5),$(ranked)) $(latency) $(DATA) $(truth) | $(BUILD)/rankcorr
$(OUT)/rankcorr.h5: private options := $(if $(shards),--merge)

ablated := $(filter %/greedy,$(ABLATION))
$(ablated:%=$(OUT)/%.h5): $(OUT)/warmup.h5 $(DATA) | $(BUILD)/greedy
$(OUT)/ablation/net2/search.h5: $(OUT)/ablation/net2/greedy.h5 $(DATA) | $(BUILD)/search
$(OUT)/ablation/net3/search.h5: $(OUT)/ablation/net3/greedy.h5 $(DATA) | $(BUILD)/search
$(OUT)/ablation/net4/search.h5: $(OUT)/ablation/net4/greedy.h5 $(DATA) | $(BUILD)/search
$(OUT)/ablation/net5/search.h5: $(OUT)/greedy.h5 $(DATA) | $(BUILD)/search

# NETWORKS are those of retrain.networks, as `config --networks` prints them: NAME, or
# NAME:SEARCH where a search has to find it first.
name_of = $(firstword $(subst :, ,$1))
networks = $(foreach n,$(NETWORKS),$(call name_of,$n))
STAGES += $(networks:%=retrain/%) $(networks:%=evaluate/%)
$(foreach n,$(NETWORKS),$(eval $(OUT)/retrain/$(call name_of,$n).h5: \
	$(patsubst $(call name_of,$n):%,$(OUT)/%.h5,$(filter $(call name_of,$n):%,$n)) \
	$(DATA) | $(BUILD)/retrain))
$(networks:%=$(OUT)/evaluate/%.h5): $(OUT)/evaluate/%.h5: $(OUT)/retrain/%.h5 $(DATA) | $(BUILD)/evaluate

# What a section of slurm/resources.yaml may be for (see slurm/stages).
.PHONY: sections
sections:
	@echo default prepare shards $(filter-out data searches all,$(GOALS)) $(ABLATION) rankcorr/ retrain/ evaluate/

# The goals, by the artifacts that they ask for.
data: $(DATA)
latency warmup greedy search rankcorr $(BASELINES): %: $(OUT)/%.h5
searches: $(call artifact,search $(SEARCHES))
ablation: $(call artifact,search_uniform $(ABLATION) search)
retrain: $(call artifact,$(networks:%=retrain/%))
evaluate: $(call artifact,$(networks:%=evaluate/%))
all: $(call artifact,latency $(STAGES))

because = $(if $(wildcard $@),newer: $(notdir $?),not made yet)
launcher = @slurm/$(if $(filter slurm,$(EXECUTOR)),submit,local) --run=$(OUT) \
	--because=$(call quote,$(because))
launch = $(launcher) --
threads = $(THREADS:%=--threads=%)

$(DATA): $(DATA_SETTINGS) | $(BUILD)/prepare
	$(launch) $(firstword $|) --config=$(@:.h5=.yaml) --out=$@ $(threads) \
		$(if $(SKIP_BROKEN),--skip-broken)
# As many threads as latency.threads says.
$(OUT)/latency.h5:
	$(launch) $(firstword $|) --config=$(OUT)/latency.yaml --out=$@
# $1: the stage, $2: what it is made from and with.
command = $(firstword $|) --config=$(OUT)/$1.yaml --data=$(DATA) $(patsubst \
	%,--in=%,$(filter-out $(DATA) $(truth),$(filter %.h5,$2))) --out=$(OUT)/$1.h5
$(call artifact,$(filter-out $(ablated),$(STAGES))): $(OUT)/%.h5: $(SETTINGS)/%.yaml
	$(launch) $(call command,$*,$^) $(options) $(threads)

# One launch for Table 4's trainings, which differ only in their settings, with a line
# for each. (slurm/run looks for that line and the launcher's in what a dry run prints.)
$(call artifact,$(ablated)) &: $(ablated:%=$(SETTINGS)/%.yaml)
	@printf '%s\n' $(foreach s,$(ablated),$(call quote,$(call command,$s,$^) $(threads))) >$(SETTINGS)/ablation/ablation
	$(launcher) --members=$(SETTINGS)/ablation/ablation

# The shards of rankcorr: one launch, with a line for each.
shard = $(BUILD)/rankcorr --config=$(OUT)/$1.yaml --data=$(DATA) $(ranked:%=--in=%) $(latency:%=--in=%) \
	--out=$(OUT)/$1.h5 --shard=$(subst of,/,$(notdir $1)) $(threads)
ifneq ($(shards),)
$(call artifact,$(shards)) &: $(shards:%=$(SETTINGS)/%.yaml) $(ranked) $(latency) $(DATA) $(truth) | $(BUILD)/rankcorr
	@printf '%s\n' $(foreach s,$(shards),$(call quote,$(call shard,$s))) >$(SETTINGS)/rankcorr/shards
	$(launcher) --members=$(SETTINGS)/rankcorr/shards
endif

# Artifacts are renamed when they are complete, so an interrupt has nothing to remove;
# and one stage at a time, for each of them takes every processor.
.PRECIOUS: $(DATA) $(call artifact,latency $(STAGES) $(shards))
.NOTPARALLEL:
endif
