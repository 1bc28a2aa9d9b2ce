# What an analyst does with R's `rsconnect`: deploys a rendered document, and deploys it again. The server stands in CONNECT_SERVER.
library(rsconnect)
server <- Sys.getenv("CONNECT_SERVER")
addServer(paste0(server, "/__api__"), "ph")
connectApiUser(account = "admin", server = "ph", apiKey = Sys.getenv("CONNECT_API_KEY"), quiet = TRUE)
stopifnot(accounts()$name == "admin")

folder <- commandArgs(trailingOnly = TRUE)[[1]]
deploy <- function() {
  deployApp(folder, appPrimaryDoc = "report.html", account = "admin", server = "ph", appName = "r-report",
            appTitle = "Report from R", launch.browser = FALSE, forceUpdate = TRUE, logLevel = "verbose", lint = FALSE)
}
stopifnot(deploy())
stopifnot(deploy())

found <- applications(account = "admin", server = "ph")
stopifnot("r-report" %in% found$name)
cat("URL", found$url[found$name == "r-report"], "\n")
