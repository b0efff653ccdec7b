package login

import "testing"

// freshFor makes the record a fresh login of the user "target".
func freshFor(target string, step func(*record) error) func(*record) error {
	return func(r *record) error {
		r.Fresh, r.TargetUserID = true, target
		return step(r)
	}
}

// TestFreshLoginIsForItsTarget takes the steps of a fresh login. Its person is the user
// "u". A fresh login of another user takes none of the steps that would complete it.
func TestFreshLoginIsForItsTarget(t *testing.T) {
	finish := func(r *record) error { return r.finish(r.Created) }
	assign := func(r *record) error { return r.assignUser("new") }
	bind := func(r *record) error { return r.bindPhone(Person{UserID: "u"}) }
	check(t, []transition{
		{"approve as the target", CrossDevice, StateIdentified, freshFor("u", (*record).approve), StateApproved, nil},
		{"approve as another user", CrossDevice, StateIdentified, freshFor("v", (*record).approve), "", ErrNotApproved},
		{"finish as the target", CrossDevice, StateApproved, freshFor("u", finish), StateFinished, nil},
		{"finish as another user", CrossDevice, StateApproved, freshFor("v", finish), "", ErrNotApproved},
		{"finish as another user", SameDevice, StateIdentified, freshFor("v", finish), "", ErrNotApproved},
		{"register", CrossDevice, StateIdentified, freshFor("v", unregistered(assign)), "", ErrNotApproved},
		{"bind the target's number", CrossDevice, StateIdentified, freshFor("u", bind), StateIdentified, nil},
		{"bind another user's number", CrossDevice, StateIdentified, freshFor("v", bind), "", ErrNotApproved},
		{"refuse another user", CrossDevice, StateIdentified, freshFor("v", func(r *record) error { return r.refuse("other") }), StateIdentified, nil},
	})
}

// TestUnsoundFreshLogins decodes records whose flag and target do not fit together. They
// are unknown logins.
func TestUnsoundFreshLogins(t *testing.T) {
	for name, change := range map[string]func(*record){
		"fresh without a target":  func(r *record) { r.Fresh = true },
		"a target without fresh":  func(r *record) { r.TargetUserID = "u" },
		"a fresh link":            func(r *record) { r.Fresh, r.TargetUserID, r.Purpose = true, "u", PurposeLink },
		"a fresh change of phone": func(r *record) { r.Fresh, r.TargetUserID, r.Purpose = true, "u", PurposePhone },
	} {
		r := recordIn(CrossDevice, StateWaiting)
		change(r)
		if r.sound() {
			t.Errorf("%s: sound = true, want false", name)
		}
	}
	r := recordIn(CrossDevice, StateWaiting)
	r.Fresh, r.TargetUserID = true, "u"
	if !r.sound() {
		t.Error("a fresh login with a target: sound = false, want true")
	}
}
