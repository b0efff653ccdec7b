package storetest

import (
	"time"

	"github.com/scangate/scangate"
)

// phoneCases returns the cases of BindPhone.
func phoneCases() []userCase {
	return []userCase{
		{"phone/sets", "BindPhone sets the user's phone number", phoneSets},
		{"phone/replaces", "BindPhone replaces an earlier number, which is free from then on", phoneReplaces},
		{"phone/empty", "binding an empty number removes the user's number", phoneEmpty},
		{"phone/all empty", "BindPhone can leave any number of users without a phone number", phoneAllEmpty},
		{"phone/again", "binding the same number again is not an error", phoneAgain},
		{"phone/taken", "BindPhone returns ErrPhoneTaken and changes nothing if another user has the number", phoneTaken},
		{"phone/unknown", "BindPhone returns ErrNotFound if the user does not exist", phoneUnknown},
	}
}

func phoneSets(u *userProbe) {
	user := u.register(nil, newStranger(1))
	u.bind(nil, user.ID, newAnn().Phone)
	user.Phone = newAnn().Phone
	u.wantStored(user)
}

func phoneReplaces(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.bind(nil, ann.ID, "+8613800138009")
	ann.Phone = "+8613800138009"
	u.wantStored(ann)
	u.byPhone(scangate.ErrNotFound, newAnn().Phone)
	// The earlier number is free for another user.
	other := u.register(nil, newStranger(1))
	u.bind(nil, other.ID, newAnn().Phone)
	other.Phone = newAnn().Phone
	u.wantStored(other)
}

func phoneEmpty(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.bind(nil, ann.ID, "")
	ann.Phone = ""
	u.wantStored(ann)
	u.byPhone(scangate.ErrNotFound, newAnn().Phone)
	second := newBob()
	second.Phone = newAnn().Phone
	u.wantStored(u.register(nil, second))
}

func phoneAllEmpty(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	// A unique column that stores "" instead of NULL refuses the second user.
	u.bind(nil, ann.ID, "")
	u.bind(nil, bob.ID, "")
	u.bind(nil, bob.ID, "")
	ann.Phone, bob.Phone = "", ""
	u.wantStored(ann)
	u.wantStored(bob)
}

func phoneAgain(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.bind(nil, ann.ID, ann.Phone)
	u.bind(nil, ann.ID, ann.Phone)
	u.wantStored(ann)
}

func phoneTaken(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	u.bind(scangate.ErrPhoneTaken, bob.ID, ann.Phone)
	u.wantStored(ann)
	u.wantStored(bob)
}

func phoneUnknown(u *userProbe) {
	u.bind(scangate.ErrNotFound, "nobody", newAnn().Phone)
	u.bind(scangate.ErrNotFound, "nobody", "")
	u.byPhone(scangate.ErrNotFound, newAnn().Phone)
}

// endSessionsCases returns the cases of EndSessions.
func endSessionsCases() []userCase {
	return []userCase{
		{"end sessions/keeps", "EndSessions stores the time as the user's SessionsEndedAt, to the microsecond", endSessionsKeeps},
		{"end sessions/later", "SessionsEndedAt is the latest time given to EndSessions", endSessionsLater},
		{"end sessions/earlier", "EndSessions ignores a time that is not after the stored one", endSessionsEarlier},
		{"end sessions/zero", "EndSessions ignores the zero time, and no other", endSessionsZero},
		{"end sessions/unknown", "EndSessions returns ErrNotFound if the user does not exist", endSessionsUnknown},
	}
}

// sessionsEndedAt returns a time with nanoseconds, in a zone of half hours.
func sessionsEndedAt() time.Time {
	return time.Date(2026, time.March, 4, 5, 6, 7, 891_234_567, time.FixedZone("", -3*60*60-30*60))
}

func endSessionsKeeps(u *userProbe) {
	ann := u.register(nil, newAnn())
	bob := u.register(nil, newBob())
	u.endSessions(nil, ann.ID, sessionsEndedAt())
	ann.SessionsEndedAt = sessionsEndedAt()
	u.wantStored(ann)
	u.wantStored(bob)
}

func endSessionsLater(u *userProbe) {
	ann := u.register(nil, newAnn())
	// In a century, the seconds since 1970 no longer fit 32 bits.
	for _, later := range []time.Duration{0, time.Microsecond, time.Second, 100 * 365 * 24 * time.Hour} {
		ann.SessionsEndedAt = sessionsEndedAt().Add(later)
		u.endSessions(nil, ann.ID, ann.SessionsEndedAt)
		u.wantStored(ann)
	}
}

func endSessionsEarlier(u *userProbe) {
	ann := u.register(nil, newAnn())
	ann.SessionsEndedAt = sessionsEndedAt()
	u.endSessions(nil, ann.ID, ann.SessionsEndedAt)
	for _, earlier := range []time.Duration{0, time.Microsecond, time.Second, 100 * 365 * 24 * time.Hour} {
		u.endSessions(nil, ann.ID, ann.SessionsEndedAt.Add(-earlier))
		u.wantStored(ann)
	}
}

func endSessionsZero(u *userProbe) {
	ann := u.register(nil, newAnn())
	u.endSessions(nil, ann.ID, time.Time{})
	if got := u.byID(nil, ann.ID).SessionsEndedAt; !got.IsZero() {
		u.broken("SessionsEndedAt is %v, want the zero time", got)
	}
	// A time before 1970 is negative in microseconds, but it is not the zero time.
	ann.SessionsEndedAt = time.Date(1969, time.July, 20, 20, 17, 40, 0, time.UTC)
	u.endSessions(nil, ann.ID, ann.SessionsEndedAt)
	u.wantStored(ann)
}

func endSessionsUnknown(u *userProbe) {
	u.endSessions(scangate.ErrNotFound, "nobody", sessionsEndedAt())
	u.endSessions(scangate.ErrNotFound, "nobody", time.Time{})
}
