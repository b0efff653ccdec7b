package scangate

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// fill sets every exported field to something that is not zero, and tells one
// from the other.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000, int64(*n)).UTC()))
		return
	case digest:
		v.Set(reflect.ValueOf(digest{byte(*n)}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune(0x4e00 + *n)))
	case reflect.Int:
		v.SetInt(-int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.IsExported() {
				fill(t, v.FieldByIndex(f.Index), n)
			}
		}
	default:
		t.Fatalf("a field of type %v", v.Type())
	}
}

// inUTC is the attempt with times that can be compared.
func inUTC(a *attempt) *attempt {
	a = a.clone()
	times := []*time.Time{&a.Created, &a.Expires, &a.Finished}
	if a.Claim != nil {
		times = append(times, &a.Claim.Until)
	}
	if a.Code != nil {
		times = append(times, &a.Code.Sent)
	}
	for _, at := range times {
		*at = at.Round(0).UTC()
	}
	return a
}

// TestAttemptIsStoredWhole fails for a field that is not stored, also for one
// that was added.
func TestAttemptIsStoredWhole(t *testing.T) {
	var full attempt
	fill(t, reflect.ValueOf(&full).Elem(), new(int))
	cases := map[string]attempt{"full": full, "empty": {}, "negative": {Number: -1 << 40}}
	for _, s := range []loginState{stateWaiting, stateExchanging, stateIdentified} {
		cases[string(s)] = attemptIn(kindScan, s)
	}
	for name, want := range cases {
		stored, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got attempt
		if err := got.decode(stored); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got.ID = want.ID
		if got, want := inUTC(&got), inUTC(&want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s became\n%+v, was\n%+v", name, got, want)
		}
		for n := range stored { // no part of one is another
			if err := new(attempt).decode(stored[:n]); err == nil {
				t.Errorf("%s: its first %d bytes are an attempt, too", name, n)
			}
		}
		if err := new(attempt).decode(append(stored, 0)); err == nil {
			t.Errorf("%s: more bytes than there should be", name)
		}
	}
}

func FuzzDecodeAttempt(f *testing.F) {
	for _, s := range []loginState{stateWaiting, stateScanned, stateExchanging, stateIdentified, stateApproved, stateFinished, stateDenied} {
		a := attemptIn(kindScan, s)
		stored, err := a.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
		a.Person, a.Claim = nil, nil // which some states need
		stored, _ = a.encode()
		f.Add(stored)
		a.Claim = &claim{From: stateIdentified}
		stored, _ = a.encode()
		f.Add(stored)
	}
	f.Add([]byte{attemptFormat - 1})
	f.Add([]byte(`{"format":1,"kind":"scan","state":"waiting"}`)) // as it was once
	f.Fuzz(func(t *testing.T, stored []byte) {
		a, err := decodeAttempt("ID", stored, 1, nil)
		if err != nil {
			if !errors.Is(err, errUnknown) {
				t.Fatalf("a damaged record is %v", err)
			}
			return
		}
		// Whatever is accepted must be safe to go on with.
		for _, step := range []func(*attempt) error{(*attempt).approve, (*attempt).deny, (*attempt).finish, (*attempt).ready} {
			_ = step(a.clone())
		}
		_ = a.claim(phoneDigest, roundBase)
		_ = a.word()
		again, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeAttempt("ID", again, 1, nil); err != nil {
			t.Fatalf("what was read can't be read again: %q", again)
		}
	})
}
