"""What people and things of the company are called."""

from __future__ import annotations

FIRST = (
    "Amara Jonas Nadia Mateo Ingrid Yusuf Chloe Hana Piotr Lucia Viktor Aiko Samuel Greta Omar Elif Bruno Freya Kofi Mira "
    "Anton Leila Tomas Sofia Rahul Ines Dmitri Zuri Felix Noor Hugo Astrid Karim Petra Diego Maren Ravi Elena Oskar Thandi"
).split()
LAST = (
    "Okoye Brandt Berg Alvarez Larsen Demir Martin Sato Kowalski Moretti Novak Tanaka Weber Lindqvist Haddad Yilmaz Costa "
    "Nilsen Mensah Petrov Fischer Rahimi Horvat Rossi Sharma Ferreira Volkov Achebe Keller Aziz Laurent Holm Farouk Svoboda "
    "Romero Jansen Iyer Popescu Lund Dlamini Schmidt Kaya Dubois Eriksen Nakamura Silva Bauer Ivanova Mwangi Hansen"
).split()
DEPARTMENTS = (
    "Quality Production Research Logistics Finance Controlling Purchasing Marketing Sales Service Maintenance Safety Legal "
    "Regulatory Clinical Statistics Bioinformatics Chemistry Engineering Packaging Planning Pricing Forecasting Training"
).split()
SITES = "Basel Lyon Porto Gdansk Malmo Turin Leiden Graz Cork Osaka Pune Austin".split()
TITLES = ("Analyst", "Engineer", "Scientist", "Manager", "Statistician", "Technician", "Controller", "Planner")
SUBJECTS = (
    "Yield Batch Stability Inventory Demand Churn Warranty Energy Downtime Complaint Margin Supplier Trial Dose Assay Freight "
    "Route Shift Scrap Turnover Rebate Tender Sample Sensor Audit Budget Claim Cohort Deviation Emission"
).split()
THINGS = (
    "forecast monitor explorer report scorecard simulator tracker overview planner calculator comparison atlas".split()
)
TOPICS = (
    "Weekly figures Early warnings Cost drivers Line speed Cold chain Root causes Shelf life Safety stock Lead times Returns "
    "Unit costs Overtime Run rates Recipes Sampling Outliers Benchmarks Targets Seasons Trends"
).split()
KINDS = (
    "python-shiny python-fastapi python-streamlit python-dash static rmd-static quarto-static jupyter-static shiny api nodejs"
).split()
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0 Safari/537.36",
    "python-requests/2.32",
)
PACKAGES = "pandas numpy scipy shiny fastapi uvicorn polars plotly altair httpx jinja2 pydantic duckdb pyarrow matplotlib".split()
