package session

import (
	"context"
	"testing"
)

type testKey struct{}

func TestHide(t *testing.T) {
	m := Copy(NewManager(true, nil))
	ctx, err := m.Load(context.WithValue(t.Context(), testKey{}, "kept"), "")
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	m.Put(ctx, "name", "lin")
	hidden := m.Hide(ctx)
	if got := hidden.Value(testKey{}); got != "kept" {
		t.Errorf("another value = %v, want kept", got)
	}
	loaded, err := m.Load(hidden, "")
	if err != nil || loaded == hidden || m.GetString(loaded, "name") != "" {
		t.Errorf("Load of the hidden context: error = %v, name = %q, want a new session", err, m.GetString(loaded, "name"))
	}
	if m.GetString(ctx, "name") != "lin" {
		t.Error("the session of the first context has lost its value")
	}
}
