// Package storetest tests implementations of [scangate.UserStore] and
// [scangate.StateStore] against the interfaces' contracts.
//
// A store's own test calls the suite:
//
//	func TestUserStore(t *testing.T) {
//		storetest.Users(t, func(t *testing.T) scangate.UserStore {
//			return mystore.New(emptyDatabase(t))
//		})
//	}
//
// The suite has a subtest for each sentence of the contract. If the store fails it, the
// subtest prints the sentence, the result and the expected result:
//
//	storetest: broken: FindByWeChat returns ErrNotFound if no user has the identity: FindByWeChat returned no error, want the error "scangate: not found"
//
// [Delete] tests a method that is not part of [scangate.UserStore], and that an
// application may have.
//
// Each subtest uses a new store. Those with race in their name call it from a hundred
// goroutines; run them with the race detector.
package storetest
