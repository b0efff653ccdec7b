package main

import (
	"os"
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

// TestMiniProgramCompiles compiles the pages with WeChat's own compilers, and walks through
// the screens. Each screen has to be what WeChat's compiler makes of the page's data.
// SCANGATE_WCC is the directory with wcc and wcsc, of npm's package miniprogram-compiler.
func TestMiniProgramCompiles(t *testing.T) {
	if os.Getenv("SCANGATE_WCC") == "" {
		skipWithout(t, "wcc", "SCANGATE_WCC is not the directory of WeChat's compilers")
	}
	// testdata/miniprogram/phone.js compares the screens, and reports a fault.
	if got := len(looks(t, "en", englishLabels)); got < 10 {
		t.Errorf("compared %d screens, want at least 10", got)
	}
}
