# How the C programs are compiled. Included by pipeline.mk, which says what runs when.
#
#   VARIANT=release|debug|san   optimised | -O0 -g | address and undefined-behaviour
#                               sanitizers
#   CC=gcc|clang                any C11 compiler with GNU vector extensions and OpenMP
#   WERROR=1                    warnings are errors (as in CI)
#   V=1                         show the commands, not only what they make
#
# Objects and programs go to stages/build/$(VARIANT); nothing is written elsewhere.
# The compiler writes the header dependencies (-MMD), so no list is kept by hand.

VARIANT = release
# `=`: `make clean` removes this, and must not take it from somebody's environment.
BUILD_ROOT = stages/build
BUILD := $(BUILD_ROOT)/$(VARIANT)
ifeq ($(origin CC),default)
CC := gcc
endif

# The one place for the processor: everything except the kernels is compiled for this
# baseline, so that programs built on a login node run on every compute node. The
# *_kernels.c files are compiled three times (KERNEL_ISAS) and chosen at run time.
MARCH ?= -march=x86-64 -mtune=generic
KERNEL_ISAS := avx512 avx2 baseline
KERNEL_avx512 := -march=x86-64-v4 -mprefer-vector-width=512 -DKERNEL_WIDTH=16
KERNEL_avx2 := -march=x86-64-v3 -DKERNEL_WIDTH=8
KERNEL_baseline := $(MARCH) -DKERNEL_WIDTH=4

VARIANT_release := -O2 -g1
VARIANT_debug := -O0 -g
VARIANT_san := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
ifeq ($(VARIANT_$(VARIANT)),)
$(error VARIANT is '$(VARIANT)', expected release, debug or san)
endif

PACKAGES := hdf5 libarchive libcrypto libjpeg libpng openblas yaml-0.1 zlib
# What the linker is asked for where pkg-config does not know the library (Fedora has no
# hdf5.pc).
LIBRARIES := hdf5=-lhdf5 libarchive=-larchive libcrypto=-lcrypto libjpeg=-ljpeg \
	libpng=-lpng openblas=-lopenblas yaml-0.1=-lyaml zlib=-lz
PKG_CONFIG ?= pkg-config
# Lazy, so that `make help` and the set-up work before any library is installed; and asked
# only once.
library_of = $(patsubst $1=%,%,$(filter $1=%,$(LIBRARIES)))
package_cflags = $(foreach p,$(PACKAGES),$(shell $(PKG_CONFIG) --cflags $p 2>/dev/null))
package_libs = $(foreach p,$(PACKAGES),$(shell $(PKG_CONFIG) --libs $p 2>/dev/null || \
	echo $(call library_of,$p)))
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(package_cflags))$(PACKAGE_CFLAGS)
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $(package_libs))$(PACKAGE_LIBS)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wwrite-strings -Wdouble-promotion $(if $(WERROR),-Werror)
# Contraction is off outside the kernels: the same source then gives the same bits
# whatever the compiler makes of it.
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(VARIANT_$(VARIANT)) -fopenmp \
	-ffp-contract=off -Istages $(PACKAGE_CFLAGS) $(CFLAGS)
LDLIBS_ALL = $(PACKAGE_LIBS) -lm

LIB_SOURCES := $(wildcard stages/base/*.c stages/io/*.c stages/nas/*.c stages/net/*.c stages/paper/*.c) \
	$(filter-out %_kernels.c,$(wildcard stages/tensor/*.c))
KERNEL_SOURCES := $(wildcard stages/tensor/*_kernels.c)
LIB_OBJECTS := $(LIB_SOURCES:stages/%.c=$(BUILD)/%.o) \
	$(foreach isa,$(KERNEL_ISAS),$(KERNEL_SOURCES:stages/%.c=$(BUILD)/%.$(isa).o))
LIB := $(BUILD)/libgreedynas.a
PROGRAM_SOURCES := $(wildcard stages/*.c)
PROGRAMS := $(PROGRAM_SOURCES:stages/%.c=$(BUILD)/%)

UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)
REF_OBJECTS := $(patsubst tests/ref/%.c,$(BUILD)/tests/ref/%.o,$(wildcard tests/ref/*.c))
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
TEST_PACKAGES := cmocka
TEST_CFLAGS = -Itests $(shell $(PKG_CONFIG) --cflags $(TEST_PACKAGES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))

comma := ,
Q := $(if $(V),,@)
say = $(if $(V)$(dry_run),,@echo '  $1 $(@:$(BUILD)/%=%)')

.PHONY: programs unit-programs bench-programs
programs: $(PROGRAMS) ; @:
unit-programs: $(UNIT_TESTS) ; @:
bench-programs: $(BENCH_PROGRAMS) ; @:
# A compiler that was killed leaves no half a file behind.
.DELETE_ON_ERROR:

# What was this compiled with? Written when it changes, so that a new commit or new
# flags recompile the one file that says so in every artifact. (Not looked at in a dry
# run, which would take it for out of date always.)
BUILD_ID = "$(shell git describe --always --dirty --tags 2>/dev/null || echo unknown)" \
	"$(shell $(CC) --version | head -n 1)" "$(VARIANT) $(strip $(VARIANT_$(VARIANT)) $(MARCH))"
dry_run = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),--dry-run)
$(BUILD)/build_id: $(if $(dry_run),,FORCE)
	@mkdir -p $(@D)
	@printf '%s|%s|%s' $(BUILD_ID) | cmp -s - $@ || printf '%s|%s|%s' $(BUILD_ID) > $@
FORCE:
$(BUILD)/base/build_info.o: $(BUILD)/build_id
$(BUILD)/base/build_info.o: private override CFLAGS += -DBUILD_ID='"$(shell cat $(BUILD)/build_id)"'

$(BUILD)/%.o: stages/%.c
	@mkdir -p $(@D)
	$(call say,compile)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define KERNEL_RULE
$(BUILD)/tensor/%_kernels.$(1).o: stages/tensor/%_kernels.c
	@mkdir -p $$(@D)
	$$(call say,compile)
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(KERNEL_$(1)) -ffp-contract=fast -DKERNEL_ISA=$(1) -MMD -MP \
		-c -o $$@ $$<
endef
$(foreach isa,$(KERNEL_ISAS),$(eval $(call KERNEL_RULE,$(isa))))

$(LIB): $(LIB_OBJECTS)
	$(call say,archive)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# The prerequisites that go into a program; once the .d files are there, so are headers.
LINKED = $(filter %.c %.o %.a,$^)

$(PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(LIB)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS_ALL) -o $@ $(LINKED) $(LDLIBS_ALL)

$(BUILD)/tests/ref/%.o: tests/ref/%.c
	@mkdir -p $(@D)
	$(call say,compile)
	$(Q)$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_TESTS): $(BUILD)/tests/%: tests/unit/%.c $(REF_OBJECTS) $(LIB)
	@mkdir -p $(@D)
	$(call say,compile)
	$(Q)$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MMD -MP -o $@ $(LINKED) $(LDLIBS_ALL) $(TEST_LIBS)

$(BENCH_PROGRAMS): $(BUILD)/bench/%: tests/bench/%.c $(REF_OBJECTS) $(LIB)
	@mkdir -p $(@D)
	$(call say,compile)
	$(Q)$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MMD -MP -o $@ $(LINKED) $(LDLIBS_ALL)

# bench_network times the operations of tensor/ by putting itself around them.
$(BUILD)/bench/bench_network: private override CFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,\
	$(shell sed -n 's/^PROFILED.void, \([a-z_]*\),.*/\1/p' tests/bench/profile.h))

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
