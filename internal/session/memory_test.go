package session

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scangate/scangate/internal/ttlmap"
)

// A dump of the memory must not contain a token that is valid.
func TestMemoryStoreHoldsNoToken(t *testing.T) {
	store := NewMemoryStore()
	const token = "a secret token"
	if err := store.Commit(token, []byte("value"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for key := range store.sessions.Keys() {
		if len(key) != sha256.Size || strings.Contains(key, "token") {
			t.Errorf("stored key = %q, want a hash", key)
		}
	}
	if value, found, err := store.Find(token); string(value) != "value" || !found || err != nil {
		t.Errorf("Find = %q, %t, %v, want %q", value, found, err, "value")
	}
	if err := store.Delete(token); err != nil {
		t.Fatal(err)
	}
	if _, found, err := store.Find(token); found || err != nil {
		t.Errorf("Find after Delete: found = %t, %v, want nothing", found, err)
	}
}

func TestMemoryStoreForgetsExpiredSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore()
		if err := store.Commit("token", []byte("value"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour - time.Nanosecond)
		if _, found, _ := store.Find("token"); !found {
			t.Error("Find within the hour: found nothing, want the session")
		}
		<-time.After(time.Nanosecond)
		if _, found, _ := store.Find("token"); found {
			t.Error("Find after the hour: found the session, want nothing")
		}
	})
}

func TestMemoryStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore()
		store.sessions = ttlmap.New[[]byte](2, nil)
		commit := func(i int) error {
			return store.Commit(strconv.Itoa(i), nil, time.Now().Add(time.Duration(i)*time.Hour))
		}
		for i, want := range []error{nil, nil, ttlmap.ErrFull} {
			if err := commit(i + 1); !errors.Is(err, want) {
				t.Errorf("Commit of session %d of 2: error = %v, want %v", i+1, err, want)
			}
		}
		<-time.After(time.Hour)
		if err := commit(3); err != nil {
			t.Errorf("Commit after a session has expired: error = %v, want none", err)
		}
	})
}

// TestMemoryStoreRoom compares the limit with the one that docs/performance.md promises.
// TestMemoryStoreIsBounded tests that the store obeys it.
func TestMemoryStoreRoom(t *testing.T) {
	if memoryLimit != 262_144 {
		t.Errorf("sessions that a store holds = %d, want 262,144", memoryLimit)
	}
}
