package scangate

// The ways by a mini program. They require Config.MiniProgram.
const (
	// ScanMiniProgram shows the gate's own code. WeChat opens it in the mini program, if the
	// mini program has a rule for PublicURL, BasePath and "/scan/"
	// ("扫普通链接二维码打开小程序"). The mini program gets the URL in q.
	ScanMiniProgram ScanMode = "mini"
	// ScanMiniProgramCode shows a code of WeChat's ("小程序码"), which opens the page
	// pages/login/login of the published mini program. The page gets the login's ID in scene.
	// It requires no rule, and costs a call to WeChat for each login that is shown.
	ScanMiniProgramCode ScanMode = "mini-code"
)

// mini reports whether the code leads to the mini program.
func (m ScanMode) mini() bool { return m == ScanMiniProgram || m == ScanMiniProgramCode }
