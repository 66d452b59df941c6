# SPDX-License-Identifier: Apache-2.0
# A thin front for meson; see README.md.  Targets: all deps demo test bench check check-aarch64 deb install clean.
BUILD ?= build
ifeq ($(origin DESTDIR),command line)
export DESTDIR
endif

.PHONY: all deps demo test bench check check-aarch64 deb install clean

all:
	@tools/deps check build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	@ninja -C $(BUILD)
	@test -x $(BUILD)/src/sluiced || { echo "build: sluiced did not link" >&2; exit 1; }

deps:
	@tools/deps install build test

demo: deps all
	@tests/demo.sh

test: deps all
	@tools/run-tests $(TESTS)

bench: deps all
	@tools/deps install bench
	@/usr/bin/python3 tests/perf/bench.py $(foreach row,$(ROW),--row '$(row)') --json $(BUILD)/bench.json \
		--svg $(BUILD)/bench.svg $(BENCH)

check:
	@tools/deps install check
	@tools/run-checks

check-aarch64:
	@tools/deps install check-aarch64
	@tools/check-aarch64

deb:
	@tools/deps install build deb
	@tools/make-deb

install: all
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-asan build-deb build-aarch64
