package storetest

import (
	"time"

	"github.com/scangate/scangate"
)

func phoneCases() []userCase {
	return []userCase{
		{"phone/sets", "BindPhone sets the user's number", phoneSets},
		{"phone/replaces", "BindPhone sets the number in place of an earlier one, which is free from then on", phoneReplaces},
		{"phone/empty", "binding an empty number leaves the user without", phoneEmpty},
		{"phone/all empty", "any number of users are without a number", phoneAllEmpty},
		{"phone/again", "binding the same number again is no error", phoneAgain},
		{"phone/taken", "BindPhone returns ErrPhoneTaken if another user has the number, and has changed nothing", phoneTaken},
		{"phone/unknown", "BindPhone returns ErrNotFound if there is no such user", phoneUnknown},
	}
}

func phoneSets(u *users) {
	a := u.register(nil, stranger(1))
	u.bind(nil, a.ID, ann().Phone)
	a.Phone = ann().Phone
	u.stored(a)
}

func phoneReplaces(u *users) {
	a := u.register(nil, ann())
	u.bind(nil, a.ID, "+8613800138009")
	a.Phone = "+8613800138009"
	u.stored(a)
	u.byPhone(scangate.ErrNotFound, ann().Phone)
	b := u.register(nil, stranger(1))
	u.bind(nil, b.ID, ann().Phone)
	b.Phone = ann().Phone
	u.stored(b)
}

func phoneEmpty(u *users) {
	a := u.register(nil, ann())
	u.bind(nil, a.ID, "")
	a.Phone = ""
	u.stored(a)
	u.byPhone(scangate.ErrNotFound, ann().Phone)
	second := bob()
	second.Phone = ann().Phone
	u.stored(u.register(nil, second))
}

func phoneAllEmpty(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	u.bind(nil, a.ID, "")
	u.bind(nil, b.ID, "")
	u.bind(nil, b.ID, "")
	a.Phone, b.Phone = "", ""
	u.stored(a)
	u.stored(b)
}

func phoneAgain(u *users) {
	a := u.register(nil, ann())
	u.bind(nil, a.ID, a.Phone)
	u.bind(nil, a.ID, a.Phone)
	u.stored(a)
}

func phoneTaken(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	u.bind(scangate.ErrPhoneTaken, b.ID, a.Phone)
	u.stored(a)
	u.stored(b)
}

func phoneUnknown(u *users) {
	u.bind(scangate.ErrNotFound, "nobody", ann().Phone)
	u.bind(scangate.ErrNotFound, "nobody", "")
	u.byPhone(scangate.ErrNotFound, ann().Phone)
}

func signOutCases() []userCase {
	return []userCase{
		{"end sessions/keeps", "EndSessions keeps the time given as the user's SessionsEndedAt, to the microsecond", endSessionsKeeps},
		{"end sessions/later", "SessionsEndedAt is the latest time given to EndSessions", endSessionsLater},
		{"end sessions/earlier", "a time that is not after the one kept changes nothing", endSessionsEarlier},
		{"end sessions/zero", "the zero time is after none: giving it changes nothing", endSessionsZero},
		{"end sessions/unknown", "EndSessions returns ErrNotFound if there is no such user", endSessionsUnknown},
	}
}

// sessionsEndedAt is a time with nanoseconds, in no ordinary zone.
func sessionsEndedAt() time.Time {
	return time.Date(2026, time.March, 4, 5, 6, 7, 891_234_567, time.FixedZone("", -3*60*60-30*60))
}

func endSessionsKeeps(u *users) {
	a := u.register(nil, ann())
	b := u.register(nil, bob())
	u.endSessions(nil, a.ID, sessionsEndedAt())
	a.SessionsEndedAt = sessionsEndedAt()
	u.stored(a)
	u.stored(b)
}

func endSessionsLater(u *users) {
	a := u.register(nil, ann())
	for _, later := range []time.Duration{0, time.Microsecond, time.Second, 100 * 365 * 24 * time.Hour} {
		a.SessionsEndedAt = sessionsEndedAt().Add(later)
		u.endSessions(nil, a.ID, a.SessionsEndedAt)
		u.stored(a)
	}
}

func endSessionsEarlier(u *users) {
	a := u.register(nil, ann())
	a.SessionsEndedAt = sessionsEndedAt()
	u.endSessions(nil, a.ID, a.SessionsEndedAt)
	for _, earlier := range []time.Duration{0, time.Microsecond, time.Second, 100 * 365 * 24 * time.Hour} {
		u.endSessions(nil, a.ID, a.SessionsEndedAt.Add(-earlier))
		u.stored(a)
	}
}

func endSessionsZero(u *users) {
	a := u.register(nil, ann())
	u.endSessions(nil, a.ID, time.Time{})
	if got := u.byID(nil, a.ID).SessionsEndedAt; !got.IsZero() {
		u.broken("SessionsEndedAt is %v, want the zero time", got)
	}
	a.SessionsEndedAt = time.Date(1969, time.July, 20, 20, 17, 40, 0, time.UTC)
	u.endSessions(nil, a.ID, a.SessionsEndedAt)
	u.stored(a)
}

func endSessionsUnknown(u *users) {
	u.endSessions(scangate.ErrNotFound, "nobody", sessionsEndedAt())
	u.endSessions(scangate.ErrNotFound, "nobody", time.Time{})
}
