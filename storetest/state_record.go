package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/scangate/scangate"
)

func recordCases() []stateCase {
	return []stateCase{
		{"create/record", "Create stores a record as version 1", createRecord},
		{"create/exists", "Create returns ErrExists if there is one of that key, and leaves it", createExists},
		{"create/race", "of any number of calls that create one record, one wins and the others get ErrExists", createRace},
		{"load/unknown", "Load returns ErrNotFound if there is no record of that key", loadUnknown},
		{"update/next", "Update replaces the record and makes it the next version, version+1", updateNext},
		{"update/conflict", "Update returns ErrConflict if the record has another version, and leaves it", updateConflict},
		{"update/unknown", "Update returns ErrNotFound if there is no record, and makes none", updateUnknown},
		{"update/race", "of any number of calls that update one version, one wins and the others get ErrConflict", updateRace},
		{"update/none lost", "of any number of writers that load and update, none loses what another has written", updateNoneLost},
		{"update/apart", "records of many keys are changed from many goroutines, each by itself", updateApart},
	}
}

func createRecord(s *state) {
	s.create(nil, "k", "one", ages)
	s.holds("k", "one", 1)
	s.holds("k", "one", 1)
}

func createExists(s *state) {
	s.create(nil, "k", "one", ages)
	s.create(scangate.ErrExists, "k", "two", ages)
	s.holds("k", "one", 1)
	s.update(nil, "k", 1, "two", ages)
	s.create(scangate.ErrExists, "k", "three", ages)
	s.holds("k", "two", 2)
}

func createRace(s *state) {
	winner := s.oneWins(race(s.crowd, func(i int) error {
		return s.store.Create(s.Context(), "k", []byte(strconv.Itoa(i)), ages)
	}), scangate.ErrExists)
	s.holds("k", strconv.Itoa(winner), 1)
}

func loadUnknown(s *state) {
	s.load(scangate.ErrNotFound, "k")
	s.create(nil, "k", "one", ages)
	s.load(scangate.ErrNotFound, "another")
}

func updateNext(s *state) {
	s.create(nil, "k", "one", ages)
	s.update(nil, "k", 1, "two", ages)
	s.holds("k", "two", 2)
	s.update(nil, "k", 2, "two", ages)
	s.holds("k", "two", 3)
	s.update(nil, "k", 3, "", ages)
	s.holds("k", "", 4)
}

func updateConflict(s *state) {
	s.create(nil, "k", "one", ages)
	s.update(nil, "k", 1, "two", ages)
	for _, version := range []int64{1, 3, 0, -1} {
		s.update(scangate.ErrConflict, "k", version, "three", ages)
		s.holds("k", "two", 2)
	}
}

func updateUnknown(s *state) {
	for _, version := range []int64{0, 1} {
		s.update(scangate.ErrNotFound, "k", version, "one", ages)
		s.load(scangate.ErrNotFound, "k")
	}
}

func updateRace(s *state) {
	s.create(nil, "k", "before", ages)
	winner := s.oneWins(race(s.crowd, func(i int) error {
		return s.store.Update(s.Context(), "k", 1, []byte(strconv.Itoa(i)), ages)
	}), scangate.ErrConflict)
	s.holds("k", strconv.Itoa(winner), 2)
}

// increment adds one to the number that the record is. It may lose to others,
// but to each of their updates once.
func (s *state) increment(key string, others int) error {
	for range others + 1 {
		value, version, err := s.store.Load(s.Context(), key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(value))
		if err != nil {
			return errors.New("the record is no number")
		}
		err = s.store.Update(s.Context(), key, version, []byte(strconv.Itoa(n+1)), ages)
		if !errors.Is(err, scangate.ErrConflict) {
			return err
		}
	}
	return errors.New("ErrConflict more often than there are other updates")
}

func updateNoneLost(s *state) {
	s.create(nil, "k", "0", ages)
	s.allWin(race(s.crowd, func(int) error { return s.increment("k", s.crowd) }))
	s.holds("k", strconv.Itoa(s.crowd), int64(s.crowd)+1)
}

func updateApart(s *state) {
	s.allWin(race(s.crowd, func(i int) error {
		key := fmt.Sprintf("k%d", i)
		if err := s.store.Create(s.Context(), key, []byte("0"), ages); err != nil {
			return err
		}
		return s.increment(key, 0)
	}))
	for i := range s.crowd {
		s.holds(fmt.Sprintf("k%d", i), "1", 2)
	}
}

func ttlCases() []stateCase {
	return []stateCase{
		{"ttl/over", "a record whose ttl is over is gone, as if it had never been", ttlOver},
		{"ttl/renewed", "Update keeps the record for the time ttl from then, however long it had", ttlRenewed},
		{"ttl/cut", "Update keeps the record for the time ttl from then, not for longer", ttlCut},
		{"ttl/conflict", "an Update that ended in ErrConflict has not changed the time that the record has", ttlConflict},
	}
}

func ttlOver(s *state) {
	s.create(nil, "k", "one", moments)
	s.gone("k", moments)
	s.update(scangate.ErrNotFound, "k", 1, "two", ages)
	s.wait(scangate.ErrNotFound, "k", 1)
	s.create(nil, "k", "two", ages)
	s.holds("k", "two", 1)
}

// ttlRenewed tells by a second record that the first one's time is over. It
// tries again with more time where the first was gone before it was updated.
func ttlRenewed(s *state) {
	for ttl := 4 * moments; ; ttl *= 2 {
		s.create(nil, "k", "one", ttl)
		err := s.store.Update(s.Context(), "k", 1, []byte("two"), ages)
		if errors.Is(err, scangate.ErrNotFound) && ttl < patience {
			continue
		}
		s.is("Update", err, nil)
		s.create(nil, "clock", "", ttl)
		s.gone("clock", ttl)
		s.holds("k", "two", 2)
		return
	}
}

func ttlCut(s *state) {
	s.create(nil, "k", "one", ages)
	s.update(nil, "k", 1, "two", moments)
	s.gone("k", moments)
}

func ttlConflict(s *state) {
	s.create(nil, "k", "one", ages)
	s.update(scangate.ErrConflict, "k", 2, "two", moments)
	s.create(scangate.ErrExists, "k", "two", moments)
	s.create(nil, "clock", "", 2*moments)
	s.gone("clock", 2*moments)
	s.holds("k", "one", 1)
}

func bytesCases() []stateCase {
	return []stateCase{
		{"bytes/keys", "keys are any bytes, and the same only byte for byte", bytesKeys},
		{"bytes/values", "values are any bytes", bytesValues},
		{"bytes/counters", "the keys of counters are any bytes, and the same only byte for byte", bytesCounters},
		{"copies/given", "values given are copied", copiesGiven},
		{"copies/returned", "values returned are copies", copiesReturned},
	}
}

// anyBytes are keys and values that mean something to one store or another.
func anyBytes() []string {
	return append(lookalikes(),
		"", "\x00", "\x00\x00", "o\x00", "o\x00o", "\xff", "\xed\xa0\x80", "\r\n", "\r\n$1\r\no", "*", "?", "[a-z]", "}", "{", "{}", "}{o",
		":1", "../o", "KEYS *", strings.Repeat("x", 10_000), strings.Repeat("x", 10_000)+"\x00",
	)
}

func bytesKeys(s *state) {
	for i, key := range anyBytes() {
		s.load(scangate.ErrNotFound, key)
		s.create(nil, key, strconv.Itoa(i), ages)
	}
	for i, key := range anyBytes() {
		s.holds(key, strconv.Itoa(i), 1)
		s.update(nil, key, 1, "updated"+strconv.Itoa(i), ages)
	}
	for i, key := range anyBytes() {
		value, version := s.wait(nil, key, 1)
		s.got("Wait", value, version, "updated"+strconv.Itoa(i), 2)
	}
}

func bytesValues(s *state) {
	for i, value := range append(anyBytes(), strings.Repeat("\x00\xff", 50_000)) {
		key := strconv.Itoa(i)
		s.create(nil, key, value, ages)
		s.holds(key, value, 1)
		s.update(nil, key, 1, value+"\x00", ages)
		s.holds(key, value+"\x00", 2)
	}
}

func bytesCounters(s *state) {
	for range 2 {
		for _, key := range anyBytes() {
			s.add(key, ages)
		}
	}
	for _, key := range anyBytes() {
		s.counts(key, 3)
	}
}

func copiesGiven(s *state) {
	value := []byte("one")
	s.is("Create", s.store.Create(s.Context(), "k", value, ages), nil)
	copy(value, "xxx")
	s.holds("k", "one", 1)
	value = []byte("two")
	s.is("Update", s.store.Update(s.Context(), "k", 1, value, ages), nil)
	copy(value, "xxx")
	s.holds("k", "two", 2)
}

func copiesReturned(s *state) {
	s.create(nil, "k", "one", ages)
	value, _, err := s.store.Load(s.Context(), "k")
	s.is("Load", err, nil)
	copy(value, "xxx")
	s.holds("k", "one", 1)
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	value, _, err = s.store.Wait(ctx, "k", 0)
	s.is("Wait", err, nil)
	copy(value, "xxx")
	s.holds("k", "one", 1)
}
