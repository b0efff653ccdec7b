package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestEchoV5Groups(t *testing.T) {
	servertest.Groups(t, func(gate *scangate.Gate, log io.Writer) http.Handler { return newGroups(gate, log) })
}
