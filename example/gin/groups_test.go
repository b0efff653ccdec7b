package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/internal/servertest"
)

func TestGinGroups(t *testing.T) {
	gin.SetMode(gin.TestMode)
	servertest.Groups(t, func(gate *scangate.Gate, log io.Writer) http.Handler { return newGroups(gate, log) })
}
