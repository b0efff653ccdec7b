// Package storetest tests whether a [scangate.UserStore] or a
// [scangate.StateStore] keeps its contract.
//
// Whoever writes a store runs the suite from a test of their own:
//
//	func TestUserStore(t *testing.T) {
//		storetest.Users(t, func(t *testing.T) scangate.UserStore {
//			return mystore.New(emptyDatabase(t))
//		})
//	}
//
// There is a case for each sentence of the contract. What it prints when the
// store fails it is that sentence, and what was seen instead:
//
//	storetest: broken: an empty UnionID equals no other: FindByWeChat returned no error, want the error "scangate: not found"
//
// Each case has a fresh store, and those named race call it from a hundred
// goroutines. Run them with the race detector.
package storetest
