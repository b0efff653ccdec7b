package login

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// fill sets every exported field to a value that is not zero, a different one for each.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000, int64(*n)).UTC()))
		return
	case Digest:
		v.Set(reflect.ValueOf(Digest{byte(*n)}))
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

// inUTC returns a copy whose times reflect.DeepEqual can compare.
func inUTC(r *record) *record {
	r = r.clone()
	times := []*time.Time{&r.Created, &r.Expires, &r.Decided, &r.Finished}
	if r.Lease != nil {
		times = append(times, &r.Lease.Until)
	}
	if r.Code != nil {
		times = append(times, &r.Code.Sent, &r.Code.WrongAt)
	}
	for _, at := range times {
		*at = at.Round(0).UTC()
	}
	return r
}

// TestRecordIsStoredWhole fails for a field that is not stored, also for a new one.
func TestRecordIsStoredWhole(t *testing.T) {
	var full record
	fill(t, reflect.ValueOf(&full).Elem(), new(int))
	full.Person.Conflict = false // it is for the current request only
	cases := map[string]*record{"full": &full, "empty": {}, "negative": {Number: -1 << 40}}
	for _, s := range []State{StateWaiting, StateExchanging, StateIdentified} {
		cases[string(s)] = recordIn(CrossDevice, s)
	}
	for name, want := range cases {
		stored, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := got.decode(stored); err != nil {
			t.Errorf("%s: decode: error = %v, want none", name, err)
		}
		got.ID = want.ID
		if got, want := inUTC(&got), inUTC(want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v, want\n%+v", name, got, want)
		}
		for n := range stored {
			if err := new(record).decode(stored[:n]); err == nil {
				t.Errorf("%s: the first %d bytes: decoded, want an error", name, n)
			}
		}
		if err := new(record).decode(append(stored, 0)); err == nil {
			t.Errorf("%s: with a byte too many: decoded, want an error", name)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, s := range []State{StateWaiting, StateScanned, StateExchanging, StateIdentified, StateApproved, StateFinished, StateDenied} {
		r := recordIn(CrossDevice, s)
		stored, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
		r.Person, r.Lease = nil, nil // some states require them
		stored, _ = r.encode()
		f.Add(stored)
		r.Lease = &lease{From: StateIdentified}
		stored, _ = r.encode()
		f.Add(stored)
	}
	f.Add([]byte{recordFormat - 1})
	f.Add([]byte(`{"format":1,"kind":"scan","state":"waiting"}`)) // the first form of a record
	f.Fuzz(func(t *testing.T, stored []byte) {
		l, err := decodeLogin("ID", stored, 1, nil)
		if err != nil {
			if !errors.Is(err, ErrUnknown) {
				t.Fatalf("damaged record: error = %v, want ErrUnknown", err)
			}
			return
		}
		// Every step must be safe on every record that was accepted.
		for _, step := range allSteps() {
			_ = step(l.record.clone())
		}
		_, _ = l.PublicState(), l.Ready()
		again, err := l.record.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeLogin("ID", again, 1, nil); err != nil {
			t.Fatalf("decoding what was encoded from a decoded record: error = %v: %q", err, again)
		}
	})
}
