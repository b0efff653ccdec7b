package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestMiniProgramFiles checks the files of the mini program: the handlers and data that its
// pages use, the texts in both languages, the colors in both themes, and that no file but
// config.js names a server.
func TestMiniProgramFiles(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), findNode(t), "testdata/miniprogram/check.js", "miniprogram").CombinedOutput()
	if err != nil {
		t.Fatalf("check.js: %v\n%s", err, out)
	}
	for fault := range strings.Lines(string(out)) {
		t.Errorf("example/miniprogram: %s", strings.TrimSpace(fault))
	}
}
