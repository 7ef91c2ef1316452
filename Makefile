# The one front door. `make help` lists what there is.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

# What the tests look through besides the agent's own eyes; the agent itself needs none of it.
TEST_PACKAGES := g++ strace bpftrace busybox-static auditd systemd
KERNEL_PACKAGES := qemu-system-x86 kmod busybox-static
INSTALL_PACKAGES := qemu-system-x86 mmdebstrap e2fsprogs openssh-client podman runc
RELEASE_PACKAGES := dpkg-dev perl rpm
LINT_PACKAGES := busybox-static lintian rpm rpmlint
BENCH_PACKAGES := gcc make redis-server redis-tools
WINDOWS_PACKAGES := rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64 wine wine64
WINDOWS_LINT_PACKAGES := rust-web-clippy
WINDOWS_RELEASE_PACKAGES := osslsigncode msitools wixl ca-certificates
PEER_PACKAGES := auditd laurel bpftrace

RUST_SOURCES := $(shell find native/src native/build.rs launcher bpf -type f) Cargo.toml Cargo.lock native/Cargo.toml
PYTHON_SOURCES := python tests benches tools
FUZZ_SECONDS ?= 5

# Of Debian, oldest first; and the live tests that run in each.
KERNELS ?= 5.10 6.1 6.12 newest
TESTS ?= tests/live tests/attacks

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.built ## Install everything into .venv; the command is then .venv/bin/endpoint-agent

.PHONY: run
run: $(VENV)/.built ## Watch this host: an intake, the agent and a live view (root)
	@$(BIN)/endpoint-agent live

# What mostly computes goes two at a time; the rest has this kernel and its clock to itself.
.PHONY: test
test: $(VENV)/.installed $(VENV)/.test-packages ahead ## The whole suite on this kernel, a slice of it on two others and under Wine
	@$(MAKE) --no-print-directory --jobs=2 --output-sync $(VENV)/.built test-rust fuzz
	@$(MAKE) --no-print-directory --jobs=2 --output-sync test-boot test-wine
	$(BIN)/pytest tests --ignore tests/install --ignore tests/windows --ignore tests/kernels

.PHONY: test-boot
test-boot: $(VENV)/.built $(VENV)/.test-packages kernel-packages ## The slice alone: boot two kernels in QEMU, and run a few tests there
	$(BIN)/pytest tests/kernels

.PHONY: test-install
test-install: $(VENV)/.built dist/agent target/deploy/.installed ## Install what ships into a Debian with systemd, in QEMU, and into containers (root)
	tools/debian-packages $(INSTALL_PACKAGES)
	$(BIN)/pytest tests/install

.PHONY: test-kernels
test-kernels: $(VENV)/.built $(VENV)/.test-packages kernel-packages ## Run the live tests on KERNELS in QEMU, or what TESTS names
	@$(MAKE) --no-print-directory --keep-going --jobs=$$(nproc) --output-sync $(KERNELS:%=test-kernel-%)

.PHONY: $(KERNELS:%=test-kernel-%)
$(KERNELS:%=test-kernel-%): test-kernel-%:
	TESTS='$(TESTS)' $(BIN)/python tools/kernels.py run $*

# Where they cannot be had, who needs them says so and skips.
.PHONY: kernel-packages
kernel-packages:
	-@tools/debian-packages $(KERNEL_PACKAGES)

# What the slices need comes while the rest is built; who needs it waits for it.
.PHONY: ahead
ahead: $(VENV)/.test-packages kernel-packages
	@for suite in bookworm trixie; do tools/fetch-kernel $$suite; done >/dev/null 2>&1 &
	@tools/debian-packages $(WINDOWS_PACKAGES) >/dev/null 2>&1 &

.PHONY: coverage
coverage: $(VENV)/.built ## Make docs/coverage.md of what test-kernels has left
	$(BIN)/python tools/kernels.py coverage

.PHONY: test-rust
test-rust: $(VENV)/.installed
	cargo test --locked --workspace

.PHONY: fuzz
fuzz: $(VENV)/.installed $(VENV)/.test-packages ## Fuzz the readers of hostile bytes, FUZZ_SECONDS each
	tools/fuzz $(FUZZ_SECONDS)

.PHONY: golden
golden: $(VENV)/.built ## Rewrite the golden files and generated docs; review the diff
	UPDATE_GOLDEN=1 cargo test --locked --workspace
	UPDATE_GOLDEN=1 $(BIN)/pytest tests/unit tests/golden

.PHONY: check
check: $(VENV)/.built ## Format, lint, types, licences, and the stub against the module
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --features python -- --deny warnings
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/stubtest endpoint_agent._native --ignore-disjoint-bases
	$(BIN)/pytest --collect-only --quiet --quiet tests/install >/dev/null
	$(BIN)/python tools/audit.py

.PHONY: audit
audit: $(VENV)/.built ## Install pip-audit, cargo-audit and cargo-deny (minutes), and ask them
	$(PYTHON) -m venv target/audit
	target/audit/bin/pip install --quiet pip-audit
	cargo install --quiet --locked --debug --root target/audit cargo-audit cargo-deny
	$(BIN)/python tools/audit.py

# In an environment of its own: none of it is needed to build or to test the agent.
.PHONY: test-deploy
test-deploy: target/deploy/.installed ## Have Kubernetes' schemas and Ansible look at deploy/
	target/deploy/bin/kubernetes-validate --strict -k 1.30 -k 1.37 deploy/kubernetes/daemonset.yaml
	cd deploy/ansible && ../../target/deploy/bin/ansible-playbook --syntax-check site.yml

target/deploy/.installed: deploy/requirements.txt
	$(PYTHON) -m venv target/deploy
	target/deploy/bin/pip install --quiet --requirement deploy/requirements.txt
	@touch $@

.PHONY: test-windows
test-windows: $(VENV)/.built dist/windows/SHA256SUMS ## Build for Windows what runs there, and run its tests under Wine
	tools/debian-packages $(WINDOWS_PACKAGES) $(WINDOWS_LINT_PACKAGES)
	tools/windows clippy --workspace --lib --bins --tests --features python -- --deny warnings
	tools/windows test --lib --test records --test spool --test subscribe --test tracing
	$(BIN)/pytest tests/windows

.PHONY: test-wine
test-wine: ## Run what calls Windows under Wine, against mocks of the event log and of event tracing
	-@tools/debian-packages $(WINDOWS_PACKAGES)
	@if missing=$$(dpkg-query --show $(WINDOWS_PACKAGES) 2>&1 >/dev/null); \
		then tools/windows test --test subscribe --test tracing; \
		else echo "skipped what runs under Wine: $$missing"; fi

.PHONY: windows
windows: $(VENV)/.built ## Build what Windows is given into dist/windows/: the wheel, agent.exe and the MSI
	tools/debian-packages $(WINDOWS_PACKAGES) $(WINDOWS_RELEASE_PACKAGES)
	PYTHON=$(CURDIR)/$(BIN)/python tools/release/windows dist/windows

.PHONY: windows-twice
windows-twice: $(VENV)/.built ## The same twice, from a clone the second time, and compare
	tools/debian-packages $(WINDOWS_PACKAGES) $(WINDOWS_RELEASE_PACKAGES)
	PYTHON=$(CURDIR)/$(BIN)/python tools/release/windows-twice dist/windows

# What its tests install, of the source as it is.
dist/windows/SHA256SUMS: $(RUST_SOURCES) $(shell find python tools/release -type f ! -name '*.pyc' ! -name '*.so') requirements.lock tools/windows-python.txt
	$(MAKE) windows

.PHONY: bench
bench: $(VENV)/.built ## Measure, and fail where a figure falls behind its target (root)
	tools/debian-packages $(BENCH_PACKAGES) $(PEER_PACKAGES)
	$(BIN)/pytest benches -c benches/pytest.ini

.PHONY: bench-churn
bench-churn: $(VENV)/.built ## Of that, memory over a million processes and a million files (root)
	tools/debian-packages $(BENCH_PACKAGES)
	$(BIN)/pytest benches/churn -c benches/pytest.ini

.PHONY: bench-peers
bench-peers: $(VENV)/.built ## Of that, other sensors of the field in the same run (root)
	tools/debian-packages $(BENCH_PACKAGES) $(PEER_PACKAGES)
	$(BIN)/pytest benches/peers -c benches/pytest.ini

.PHONY: wheel
wheel: $(VENV)/.installed ## Build the wheel into dist/, for glibc 2.17 and later
	rm -f dist/*.whl
	PYTHON=$(CURDIR)/$(BIN)/python tools/release/wheel dist

.PHONY: bundle
bundle: wheel $(VENV)/.built ## Build the bundle and the executable `agent` into dist/
	tools/debian-packages $(RELEASE_PACKAGES)
	runtime=$$(PYTHON=$(CURDIR)/$(BIN)/python tools/release/runtime) && \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python tools/release/bundle.py \
		dist/*.whl "$$runtime" dist

.PHONY: packages
packages: bundle ## Build the packages of the bundle, too, into dist/
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python tools/release/packages.py dist/*.tar.gz dist

# What is installed by the trials, of the source as it is.
dist/agent: $(RUST_SOURCES) $(shell find python tools/release -type f ! -name '*.pyc' ! -name '*.so') requirements.lock
	$(MAKE) packages

.PHONY: release
release: $(VENV)/.built ## Build all that ships into dist/, twice, compare, and sign with KEYS for REPOSITORY
	tools/debian-packages $(RELEASE_PACKAGES)
	PYTHON=$(CURDIR)/$(BIN)/python tools/release/release dist

.PHONY: test-release
test-release: $(VENV)/.built ## Look through what make release has left in dist/
	tools/debian-packages $(LINT_PACKAGES)
	$(BIN)/pytest tests/install/test_shipped.py

.PHONY: lock
lock: $(VENV)/.installed ## Pin the newest versions that pyproject.toml and Cargo.toml allow
	cargo update
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --no-header --upgrade --quiet --output-file requirements.lock

.PHONY: clean
clean: ## Remove what was built and installed
	rm -rf target native/fuzz/target $(VENV) dist

$(VENV)/.installed: requirements.lock
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || tools/debian-packages python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST_SOURCES) pyproject.toml
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --quiet --release --locked >/dev/null
	@touch $@

$(VENV)/.test-packages: tools/debian-packages Makefile
	tools/debian-packages $(TEST_PACKAGES)
	@mkdir -p $(VENV)
	@touch $@
