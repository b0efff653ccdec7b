package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/scangate/scangate"
)

// recordCases returns the cases of Create, Load and Update.
func recordCases() []stateCase {
	return []stateCase{
		{"create/record", "Create stores a record with version 1", createRecord},
		{"create/exists", "Create returns ErrExists and changes nothing if the record exists", createExists},
		{"create/race", "of any number of concurrent calls that create one record, one succeeds and the others return ErrExists", createRace},
		{"load/unknown", "Load returns ErrNotFound if the record does not exist", loadUnknown},
		{"update/next", "Update replaces the record and increments its version", updateNext},
		{"update/conflict", "Update returns ErrConflict and changes nothing if the record has another version", updateConflict},
		{"update/unknown", "Update returns ErrNotFound and creates nothing if the record does not exist", updateUnknown},
		{"update/race", "of any number of concurrent calls that update one version, one succeeds and the others return ErrConflict", updateRace},
		{"update/none lost", "concurrent writers that load and update a record lose no update", updateNoneLost},
		{"update/apart", "concurrent changes of different records do not affect each other", updateApart},
	}
}

func createRecord(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.wantRecord("k", "one", 1)
	// Loading a record does not consume it.
	s.wantRecord("k", "one", 1)
}

func createExists(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.create(scangate.ErrExists, "k", "two", longTTL)
	s.wantRecord("k", "one", 1)
	// Nor may Create reset the version of a record that was updated.
	s.update(nil, "k", 1, "two", longTTL)
	s.create(scangate.ErrExists, "k", "three", longTTL)
	s.wantRecord("k", "two", 2)
}

func createRace(s *stateProbe) {
	winner := s.wantOneSuccess(race(s.racers, func(i int) error {
		return s.store.Create(s.Context(), "k", []byte(strconv.Itoa(i)), longTTL)
	}), scangate.ErrExists)
	s.wantRecord("k", strconv.Itoa(winner), 1)
}

func loadUnknown(s *stateProbe) {
	// In an empty store, and in one with another record.
	s.load(scangate.ErrNotFound, "k")
	s.create(nil, "k", "one", longTTL)
	s.load(scangate.ErrNotFound, "another")
}

func updateNext(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.update(nil, "k", 1, "two", longTTL)
	s.wantRecord("k", "two", 2)
	// The same value is an update too: it renews the ttl.
	s.update(nil, "k", 2, "two", longTTL)
	s.wantRecord("k", "two", 3)
	// An empty value does not delete the record.
	s.update(nil, "k", 3, "", longTTL)
	s.wantRecord("k", "", 4)
}

func updateConflict(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.update(nil, "k", 1, "two", longTTL)
	// Neither a later version nor zero matches any record.
	for _, version := range []int64{1, 3, 0, -1} {
		s.update(scangate.ErrConflict, "k", version, "three", longTTL)
		s.wantRecord("k", "two", 2)
	}
}

func updateUnknown(s *stateProbe) {
	// A store that represents a missing record as version 0 would create it here.
	for _, version := range []int64{0, 1} {
		s.update(scangate.ErrNotFound, "k", version, "one", longTTL)
		s.load(scangate.ErrNotFound, "k")
	}
}

func updateRace(s *stateProbe) {
	s.create(nil, "k", "before", longTTL)
	winner := s.wantOneSuccess(race(s.racers, func(i int) error {
		return s.store.Update(s.Context(), "k", 1, []byte(strconv.Itoa(i)), longTTL)
	}), scangate.ErrConflict)
	s.wantRecord("k", strconv.Itoa(winner), 2)
}

// increment adds one to a record that contains a number, while others make up to the
// given number of updates.
func (s *stateProbe) increment(key string, others int) error {
	// Each update of another writer can cause one conflict.
	for range others + 1 {
		value, version, err := s.store.Load(s.Context(), key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(value))
		if err != nil {
			return fmt.Errorf("the record is %.60q, want a number", value)
		}
		err = s.store.Update(s.Context(), key, version, []byte(strconv.Itoa(n+1)), longTTL)
		if !errors.Is(err, scangate.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("ErrConflict %d times, want at most %d, the number of other updates", others+1, others)
}

func updateNoneLost(s *stateProbe) {
	s.create(nil, "k", "0", longTTL)
	s.wantAllSucceed(race(s.racers, func(int) error { return s.increment("k", s.racers) }))
	// A lost update would leave a smaller number.
	s.wantRecord("k", strconv.Itoa(s.racers), int64(s.racers)+1)
}

func updateApart(s *stateProbe) {
	s.wantAllSucceed(race(s.racers, func(i int) error {
		key := fmt.Sprintf("k%d", i)
		if err := s.store.Create(s.Context(), key, []byte("0"), longTTL); err != nil {
			return err
		}
		// No other goroutine updates this record, so there must be no conflict.
		return s.increment(key, 0)
	}))
	for i := range s.racers {
		s.wantRecord(fmt.Sprintf("k%d", i), "1", 2)
	}
}

// ttlCases returns the cases about the expiry of records.
func ttlCases() []stateCase {
	return []stateCase{
		{"ttl/over", "a record does not exist once its ttl has passed", ttlOver},
		{"ttl/renewed", "Update keeps the record for the new ttl, even if the old one was shorter", ttlRenewed},
		{"ttl/cut", "Update keeps the record for the new ttl, even if the old one was longer", ttlCut},
		{"ttl/conflict", "an Update that returns ErrConflict does not change the record's ttl", ttlConflict},
	}
}

func ttlOver(s *stateProbe) {
	s.create(nil, "k", "one", shortTTL)
	s.waitUntilGone("k", shortTTL)
	s.update(scangate.ErrNotFound, "k", 1, "two", longTTL)
	s.wait(scangate.ErrNotFound, "k", 1)
	// The key can be used again, and its versions begin at 1 again.
	s.create(nil, "k", "two", longTTL)
	s.wantRecord("k", "two", 1)
}

func ttlRenewed(s *stateProbe) {
	// On a slow machine the record can expire before its update. The next attempt
	// gives it more time.
	for ttl := 4 * shortTTL; ; ttl *= 2 {
		s.create(nil, "k", "one", ttl)
		err := s.store.Update(s.Context(), "k", 1, []byte("two"), longTTL)
		if errors.Is(err, scangate.ErrNotFound) && ttl < timeout {
			continue
		}
		s.wantError("Update", err, nil)
		// Created later with the same ttl, clock expires after the old ttl of k.
		s.create(nil, "clock", "", ttl)
		s.waitUntilGone("clock", ttl)
		s.wantRecord("k", "two", 2)
		return
	}
}

func ttlCut(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.update(nil, "k", 1, "two", shortTTL)
	s.waitUntilGone("k", shortTTL)
}

func ttlConflict(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	s.update(scangate.ErrConflict, "k", 2, "two", shortTTL)
	s.create(scangate.ErrExists, "k", "two", shortTTL)
	// By the time that clock expires, a record with shortTTL would be gone.
	s.create(nil, "clock", "", 2*shortTTL)
	s.waitUntilGone("clock", 2*shortTTL)
	s.wantRecord("k", "one", 1)
}

// bytesCases returns the cases about the contents and the copying of keys and values.
func bytesCases() []stateCase {
	return []stateCase{
		{"bytes/keys", "keys may be any bytes and are compared byte for byte", bytesKeys},
		{"bytes/values", "values may be any bytes", bytesValues},
		{"bytes/counters", "the keys of counters may be any bytes and are compared byte for byte", bytesCounters},
		{"copies/given", "Create and Update copy the given value", copiesGiven},
		{"copies/returned", "Load and Wait return copies", copiesReturned},
	}
}

// anyBytes returns keys and values with a special meaning in some store.
func anyBytes() []string {
	return append(lookalikes(),
		// Terminators, invalid UTF-8 and an encoded surrogate.
		"", "\x00", "\x00\x00", "o\x00", "o\x00o", "\xff", "\xed\xa0\x80",
		// Redis's protocol, patterns, hash tags, separators and commands.
		"\r\n", "\r\n$1\r\no", "*", "?", "[a-z]", "}", "{", "{}", "}{o", ":1", "../o", "KEYS *",
		// Long, and equal for the first 10,000 bytes.
		strings.Repeat("x", 10_000), strings.Repeat("x", 10_000)+"\x00",
	)
}

func bytesKeys(s *stateProbe) {
	// All records exist at the same time: two keys that the store takes for one show
	// as a Load that finds something, a Create that fails, or a wrong value.
	for i, key := range anyBytes() {
		s.load(scangate.ErrNotFound, key)
		s.create(nil, key, strconv.Itoa(i), longTTL)
	}
	for i, key := range anyBytes() {
		s.wantRecord(key, strconv.Itoa(i), 1)
		s.update(nil, key, 1, "updated"+strconv.Itoa(i), longTTL)
	}
	// Wait may use the key in another way, such as a channel's name.
	for i, key := range anyBytes() {
		value, version := s.wait(nil, key, 1)
		s.wantResult("Wait", value, version, "updated"+strconv.Itoa(i), 2)
	}
}

func bytesValues(s *stateProbe) {
	for i, value := range append(anyBytes(), strings.Repeat("\x00\xff", 50_000)) {
		key := strconv.Itoa(i)
		s.create(nil, key, value, longTTL)
		s.wantRecord(key, value, 1)
		s.update(nil, key, 1, value+"\x00", longTTL)
		s.wantRecord(key, value+"\x00", 2)
	}
}

func bytesCounters(s *stateProbe) {
	// A counter that two keys share would be higher than 2 after these rounds.
	for range 2 {
		for _, key := range anyBytes() {
			s.add(key, longTTL)
		}
	}
	for _, key := range anyBytes() {
		s.wantCounts(key, 3)
	}
}

func copiesGiven(s *stateProbe) {
	value := []byte("one")
	s.wantError("Create", s.store.Create(s.Context(), "k", value, longTTL), nil)
	copy(value, "xxx")
	s.wantRecord("k", "one", 1)
	value = []byte("two")
	s.wantError("Update", s.store.Update(s.Context(), "k", 1, value, longTTL), nil)
	copy(value, "xxx")
	s.wantRecord("k", "two", 2)
}

func copiesReturned(s *stateProbe) {
	s.create(nil, "k", "one", longTTL)
	value, _, err := s.store.Load(s.Context(), "k")
	s.wantError("Load", err, nil)
	copy(value, "xxx")
	s.wantRecord("k", "one", 1)
	ctx, cancel := context.WithTimeout(s.Context(), timeout)
	defer cancel()
	// No record has version 0, so Wait returns at once.
	value, _, err = s.store.Wait(ctx, "k", 0)
	s.wantError("Wait", err, nil)
	copy(value, "xxx")
	s.wantRecord("k", "one", 1)
}
