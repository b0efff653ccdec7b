# Shortcuts for the commands in CONTRIBUTING.md. Each also works without make.
.PHONY: test test-all race browsers lint fuzz bench cover ci long pictures run

test: # the library's module
	go test ./...

test-all: # every module
	go run ./internal/testall

race: # every module, as CI does; CI has the browser tests in a step of their own
	SCANGATE_BROWSERS=skip go run ./internal/testall -race -shuffle=on -count=1 -timeout 25m

browsers: # every page, as the step of .ci/run
	SCANGATE_BROWSERS=all go -C example test -count=1 -timeout 20m .

lint:
	bash .ci/run lint

fuzz: # some seconds for each target
	bash .ci/run fuzz

bench: # tables that compare the gate with other libraries
	go -C bench run .

cover:
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -func=cover.out | tail -n 1

ci: # everything that a change has to pass
	bash .ci/run

long: # large crowds, long fuzzing, every page in every language, and pictures
	bash .ci/run long

pictures: # those in the READMEs
	SCANGATE_PICTURES=../docs/images go -C example test -count=1 -run TestReadmePictures .

run: # the example, at http://127.0.0.1:8080
	go -C example run .
