package scangate

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/internal/login"
)

// TestThreat26Figures: SECURITY.md states what guessing one-time codes achieves. The
// figures follow from the quotas, the tries and the length of a code.
func TestThreat26Figures(t *testing.T) {
	config := Config{}
	config.Phone.fillDefaults()
	sender := codeSender{phone: config.Phone}
	_, codes := sender.quotas("+8613800138000", "person", []string{"192.0.2.1"})
	perDay := map[string]float64{}
	for _, quota := range codes {
		name := strings.Split(quota.Key, ":")[1]
		perDay[name] = float64(quota.Max) * float64(24*time.Hour/quota.Window)
	}
	const tries = 5 // TestThreat26GuessTheCode counts them
	chance := float64(tries)
	for range login.CodeLength {
		chance /= 10 // of one code, all tries together
	}
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(string(text)), " ")
	for name, want := range map[string]string{
		"one given number":     fmt.Sprintf("%.0f in 100,000 a day", perDay["phone-day"]*chance*100_000),
		"100 WeChat accounts":  fmt.Sprintf("%.0f %% a day", 100*perDay["person-day"]*chance*100),
		"numbers they need":    fmt.Sprintf("at least %.0f numbers", 100*perDay["person-day"]/perDay["phone-day"]),
		"addresses they need":  fmt.Sprintf("%.0f addresses", 100*perDay["person-day"]/perDay["address-day"]+0.5),
		"any number of people": fmt.Sprintf("%.0f %% a day", perDay["all-hour"]*chance*100),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("SECURITY.md on guessing codes, %s: has no %q", name, want)
		}
	}
}
