package wechat

import "encoding/json"

// tolerant is a field of an answer whose JSON may have any type. A value of another type
// than T is odd. An odd value is zero, unless it is a T in quotes or, for a string, a
// number.
type tolerant[T any] struct {
	value T
	odd   bool
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (f *tolerant[T]) UnmarshalJSON(data []byte) error {
	*f = tolerant[T]{}
	if json.Unmarshal(data, &f.value) == nil {
		return nil
	}
	f.odd = true
	var text string
	var number json.Number
	switch {
	case json.Unmarshal(data, &text) == nil:
		data = []byte(text)
	case json.Unmarshal(data, &number) == nil:
		data = []byte(`"` + number + `"`)
	}
	var value T
	if json.Unmarshal(data, &value) != nil {
		// Unmarshal may have decoded a part, such as some elements of a list.
		var zero T
		value = zero
	}
	f.value = value
	return nil
}

// snapshotFlag is is_snapshotuser. WeChat documents the numbers 0 and 1 only.
type snapshotFlag struct{ set, odd bool }

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (f *snapshotFlag) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "0", "null":
		*f = snapshotFlag{}
	case "1":
		*f = snapshotFlag{set: true}
	case "false", `"false"`, `"0"`, `""`:
		*f = snapshotFlag{odd: true}
	default:
		// A snapshot user that passes for a person would become a user, so anything
		// that does not mean no means yes.
		*f = snapshotFlag{set: true, odd: true}
	}
	return nil
}

// oddities collects the tolerated faults of a body. Each answer embeds one.
type oddities struct{ noted []string }

// tolerate implements [answer].
func (o *oddities) tolerate(oddity string) { o.noted = append(o.noted, oddity) }

// oddity is a field that may be odd.
type oddity struct {
	field string
	odd   bool
}

// with returns the noted faults and the names of the odd fields, or nil if there are
// none.
func (o *oddities) with(fields []oddity) []string {
	all := o.noted
	for _, field := range fields {
		if field.odd {
			all = append(all, field.field)
		}
	}
	return all
}
