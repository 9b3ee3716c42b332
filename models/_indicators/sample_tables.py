# ruff: noqa: E501 - one line an indicator, to be read as a table
"""What the generated data set is about: countries and indicators. Names are real or sound so; values are neither."""

from typing import NamedTuple

DATASETS = {
    "dev": "Atoll sample: development (synthetic)",
    "env": "Atoll sample: islands and environment (synthetic)",
}

# Code and name; the small island states among them are those in SIDS
COUNTRIES = dict(
    line.split(" ", 1)
    for line in """\
ABW Aruba
AIA Anguilla
ATG Antigua and Barbuda
BHR Bahrain
BHS Bahamas
BLZ Belize
BRB Barbados
COK Cook Islands
COM Comoros
CPV Cabo Verde
CUB Cuba
DMA Dominica
DOM Dominican Republic
FJI Fiji
FSM Micronesia
GNB Guinea-Bissau
GRD Grenada
GUY Guyana
HTI Haiti
JAM Jamaica
KIR Kiribati
KNA Saint Kitts and Nevis
LCA Saint Lucia
MDV Maldives
MHL Marshall Islands
MUS Mauritius
NIU Niue
NRU Nauru
PLW Palau
PNG Papua New Guinea
SGP Singapore
SLB Solomon Islands
STP São Tomé and Príncipe
SUR Suriname
SYC Seychelles
TKL Tokelau
TLS Timor-Leste
TON Tonga
TTO Trinidad and Tobago
TUV Tuvalu
VCT Saint Vincent and the Grenadines
VUT Vanuatu
WSM Samoa
AFG Afghanistan
AGO Angola
ALB Albania
ARG Argentina
ARM Armenia
AUS Australia
BDI Burundi
BEN Benin
BFA Burkina Faso
BGD Bangladesh
BOL Bolivia
BRA Brazil
BTN Bhutan
BWA Botswana
CAN Canada
CHL Chile
CHN China
CIV Côte d'Ivoire
CMR Cameroon
COL Colombia
CRI Costa Rica
DEU Germany
DNK Denmark
DZA Algeria
ECU Ecuador
EGY Egypt
ESP Spain
EST Estonia
ETH Ethiopia
FIN Finland
FRA France
GAB Gabon
GBR United Kingdom
GEO Georgia
GHA Ghana
GTM Guatemala
HND Honduras
HRV Croatia
IDN Indonesia
IND India
IRL Ireland
ISL Iceland
ITA Italy
JOR Jordan
JPN Japan
KAZ Kazakhstan
KEN Kenya
KHM Cambodia
KOR Republic of Korea
LAO Lao PDR
LKA Sri Lanka
MAR Morocco
MDG Madagascar
MEX Mexico
MNG Mongolia
MYS Malaysia
NGA Nigeria
NLD Netherlands
NOR Norway
NPL Nepal
NZL New Zealand
PAK Pakistan
PER Peru
PHL Philippines
PRT Portugal
ROU Romania
RWA Rwanda
SEN Senegal
SWE Sweden
THA Thailand
TUN Tunisia
TZA Tanzania
UGA Uganda
URY Uruguay
VNM Viet Nam
ZAF South Africa
ZMB Zambia
""".splitlines()
)


class Kind(NamedTuple):
    """One indicator. Loadings are standard deviations of the indicator a unit of the latent factor.

    Attributes:
        code: with its data set's prefix.
        units: also decides the range of the values, see `sample.SCALES`.
        missing: share of cells without a value, 0 to 0.8.
        development, size, island, exposure, trend: loadings.
        centre: shift of the whole indicator, in the same unit.
    """

    code: str
    name: str
    category: str
    subcategory: str
    units: str
    dimension: str
    missing: float
    development: float
    size: float
    island: float
    exposure: float
    trend: float
    centre: float


def _kinds() -> tuple[Kind, ...]:
    kinds = []
    for line in _TABLE.splitlines():
        code, name, topic, units, dimension, *numbers = [cell.strip() for cell in line.split("|")]
        category, subcategory = topic.split("/")
        kinds.append(Kind(code, name, category, subcategory, units, dimension, *map(float, numbers)))
    return tuple(kinds)


# code | name | category/subcategory | units | dimension | missing, development, size, island, exposure, trend, centre
_TABLE = """\
dev-electricity.access | Access to electricity | Energy/Access | % | total | 0.00 | 1.3 | 0.1 | 0.3 | -0.1 | 0.7 | 1.2
dev-electricity.access.rural | Access to electricity, rural | Energy/Access | % | rural | 0.10 | 1.5 | 0.1 | 0.4 | -0.2 | 0.9 | 0.6
dev-electricity.access.urban | Access to electricity, urban | Energy/Access | % | urban | 0.06 | 1.0 | 0.1 | 0.2 | -0.1 | 0.5 | 2.0
dev-energy.renewable.share | Renewable energy consumption | Energy/Mix | % | none | 0.03 | -0.9 | -0.1 | -0.5 | 0.2 | 0.1 | -0.8
dev-energy.use.capita | Energy use per person | Energy/Mix | kg of oil equivalent | none | 0.55 | 0.9 | 0.1 | 0.1 | -0.1 | 0.2 | 0.4
dev-water.basic | People using at least basic drinking water services | Health/Water | % | total | 0.02 | 1.1 | -0.1 | 0.4 | -0.2 | 0.4 | 1.8
dev-water.basic.rural | People using at least basic drinking water services, rural | Health/Water | % | rural | 0.14 | 1.2 | -0.1 | 0.5 | -0.3 | 0.5 | 1.1
dev-water.basic.urban | People using at least basic drinking water services, urban | Health/Water | % | urban | 0.12 | 0.8 | -0.1 | 0.3 | -0.1 | 0.2 | 2.5
dev-sanitation.basic | People using at least basic sanitation services | Health/Water | % | total | 0.03 | 1.2 | 0.0 | 0.2 | -0.3 | 0.5 | 1.0
dev-life.expectancy | Life expectancy at birth | Health/Mortality | years | total | 0.00 | 0.9 | 0.0 | 0.1 | -0.2 | 0.4 | 0.0
dev-life.expectancy.female | Life expectancy at birth, female | Health/Mortality | years | female | 0.02 | 0.9 | 0.0 | 0.1 | -0.2 | 0.4 | 0.3
dev-life.expectancy.male | Life expectancy at birth, male | Health/Mortality | years | male | 0.02 | 0.9 | 0.0 | 0.1 | -0.2 | 0.4 | -0.3
dev-mortality.under5 | Mortality rate, under 5 | Health/Mortality | per 1,000 live births | total | 0.00 | -1.0 | 0.1 | -0.1 | 0.2 | -0.6 | 0.2
dev-mortality.under5.female | Mortality rate, under 5, female | Health/Mortality | per 1,000 live births | female | 0.04 | -1.0 | 0.1 | -0.1 | 0.2 | -0.6 | 0.1
dev-mortality.under5.male | Mortality rate, under 5, male | Health/Mortality | per 1,000 live births | male | 0.04 | -1.0 | 0.1 | -0.1 | 0.2 | -0.6 | 0.3
dev-mortality.maternal | Maternal mortality ratio | Health/Mortality | per 100,000 live births | female | 0.18 | -1.1 | 0.1 | -0.1 | 0.2 | -0.5 | 0.4
dev-health.expenditure | Current health expenditure per person | Health/Services | US$ | none | 0.05 | 1.1 | -0.1 | 0.1 | 0.0 | 0.4 | -0.6
dev-physicians | Physicians | Health/Services | per 1,000 people | none | 0.62 | 1.0 | 0.1 | 0.0 | 0.0 | 0.2 | -0.9
dev-hospital.beds | Hospital beds | Health/Services | per 1,000 people | none | 0.70 | 0.7 | 0.1 | 0.2 | 0.0 | -0.1 | -0.3
dev-immunization.measles | Immunization, measles | Health/Services | % | total | 0.02 | 0.7 | 0.0 | 0.1 | -0.1 | 0.2 | 1.9
dev-diabetes.prevalence | Diabetes prevalence, ages 20 to 79 | Health/Disease | % | total | 0.72 | 0.1 | 0.0 | 0.5 | 0.2 | 0.2 | -2.0
dev-undernourishment | Prevalence of undernourishment | Health/Nutrition | % | total | 0.24 | -0.9 | 0.1 | 0.0 | 0.2 | -0.3 | -2.0
dev-fertility | Adolescent fertility rate | Population/Fertility | per 1,000 women | female | 0.03 | -0.8 | 0.0 | 0.0 | 0.1 | -0.4 | 0.8
dev-population.growth | Population growth | Population/Structure | % a year | total | 0.00 | -0.6 | 0.1 | -0.2 | 0.0 | -0.2 | 0.4
dev-population.total | Population | Population/Structure | thousands | total | 0.00 | -0.1 | 1.9 | 0.0 | 0.0 | 0.1 | 0.6
dev-population.urban | Urban population | Population/Structure | % | urban | 0.00 | 0.8 | 0.1 | -0.2 | 0.0 | 0.2 | 0.3
dev-population.over65 | Population aged 65 and above | Population/Structure | % | total | 0.00 | 0.9 | 0.0 | 0.0 | 0.0 | 0.2 | -2.5
dev-dependency.ratio | Age dependency ratio | Population/Structure | % | none | 0.00 | -0.8 | 0.0 | -0.1 | 0.0 | -0.2 | 0.2
dev-gdp.capita | GDP per person | Economy/Output | US$ | none | 0.02 | 1.4 | 0.0 | 0.1 | -0.1 | 0.3 | 1.2
dev-gdp.growth | GDP growth | Economy/Output | % a year | none | 0.04 | -0.2 | 0.1 | -0.2 | -0.1 | -0.3 | 0.9
dev-agriculture.share | Agriculture, value added | Economy/Output | % of GDP | none | 0.06 | -1.0 | 0.1 | -0.2 | 0.1 | -0.2 | -1.8
dev-trade.share | Trade | Economy/Trade | % of GDP | none | 0.09 | 0.3 | -0.8 | 0.4 | 0.0 | 0.1 | 0.3
dev-remittances.share | Personal remittances, received | Economy/Trade | % of GDP | none | 0.15 | -0.6 | -0.3 | 0.4 | 0.2 | 0.2 | -2.8
dev-debt.service | External debt service | Economy/Debt | % of GNI | none | 0.48 | -0.2 | -0.1 | 0.2 | 0.1 | 0.0 | -2.9
dev-poverty.headcount | Poverty headcount ratio | Economy/Poverty | % | total | 0.72 | -1.3 | 0.1 | -0.1 | 0.2 | -0.5 | -1.6
dev-gini | Gini index | Economy/Poverty | index (0-100) | none | 0.72 | -0.4 | 0.2 | 0.1 | 0.0 | -0.1 | -0.4
dev-school.primary | School enrolment, primary, net | Education/Participation | % | total | 0.33 | 0.6 | 0.0 | 0.1 | -0.1 | 0.3 | 2.2
dev-school.secondary.female | School enrolment, secondary, female | Education/Participation | % | female | 0.42 | 1.1 | 0.0 | 0.2 | -0.1 | 0.4 | 0.9
dev-school.secondary.male | School enrolment, secondary, male | Education/Participation | % | male | 0.42 | 0.9 | 0.0 | 0.0 | -0.1 | 0.3 | 1.0
dev-literacy.adult | Literacy rate, adult | Education/Outcomes | % | total | 0.74 | 1.2 | 0.0 | 0.3 | -0.1 | 0.3 | 1.8
dev-schooling.years | Mean years of schooling | Education/Outcomes | years of school | total | 0.05 | 1.1 | 0.0 | 0.1 | 0.0 | 0.3 | 0.0
dev-unemployment | Unemployment | Work/Employment | % | total | 0.01 | 0.0 | -0.1 | 0.3 | 0.1 | 0.0 | -2.6
dev-unemployment.female | Unemployment, female | Work/Employment | % | female | 0.03 | -0.1 | -0.1 | 0.4 | 0.1 | 0.0 | -2.4
dev-unemployment.male | Unemployment, male | Work/Employment | % | male | 0.03 | 0.0 | -0.1 | 0.3 | 0.1 | 0.0 | -2.7
dev-youth.idle.female | Young women not in education, employment or training | Work/Employment | % | female | 0.68 | -0.7 | 0.1 | 0.1 | 0.1 | -0.1 | -1.0
dev-internet.users | Individuals using the Internet | Infrastructure/Digital | % | total | 0.06 | 1.2 | 0.0 | 0.1 | 0.0 | 1.9 | -0.6
dev-mobile.subscriptions | Mobile cellular subscriptions | Infrastructure/Digital | per 100 people | total | 0.02 | 0.6 | 0.0 | 0.1 | 0.0 | 1.0 | 0.2
dev-broadband | Fixed broadband subscriptions | Infrastructure/Digital | per 100 people | total | 0.20 | 1.2 | 0.1 | 0.0 | 0.0 | 0.9 | -2.2
dev-government.effectiveness | Government effectiveness | Governance/Institutions | index (-2.5 to 2.5) | none | 0.07 | 1.0 | 0.1 | 0.0 | -0.1 | 0.0 | 0.0
dev-control.corruption | Control of corruption | Governance/Institutions | index (-2.5 to 2.5) | none | 0.07 | 1.0 | -0.1 | 0.2 | 0.0 | 0.0 | 0.0
env-electricity.access | Access to electricity (islands survey) | Energy/Access | % | total | 0.26 | 1.3 | 0.1 | 0.3 | -0.1 | 0.7 | 1.2
env-tourism.receipts.share | International tourism, receipts | Blue economy/Tourism | % of exports | none | 0.22 | 0.1 | -0.5 | 1.1 | 0.0 | 0.1 | -1.6
env-tourism.arrivals | International tourism, arrivals | Blue economy/Tourism | per 1,000 people | none | 0.37 | 0.9 | -0.5 | 0.8 | 0.0 | 0.3 | 1.6
env-fisheries.production | Total fisheries production per person | Blue economy/Fisheries | kg | none | 0.05 | 0.0 | -0.4 | 0.9 | 0.1 | 0.0 | 0.6
env-marine.protected | Marine protected areas | Blue economy/Conservation | % of territorial waters | none | 0.58 | 0.5 | 0.1 | -0.2 | 0.0 | 0.7 | -2.8
env-forest.area | Forest area | Environment/Land | % of land area | none | 0.00 | 0.0 | 0.1 | 0.3 | 0.1 | -0.1 | -0.6
env-freshwater.withdrawal | Annual freshwater withdrawals | Environment/Water | % of internal resources | none | 0.66 | 0.3 | 0.1 | -0.1 | 0.4 | 0.1 | -1.6
env-co2.capita | CO2 emissions per person | Environment/Climate | tonnes | none | 0.02 | 1.1 | 0.1 | -0.1 | -0.1 | 0.1 | 0.4
env-pm25 | PM2.5 air pollution, mean annual exposure | Environment/Climate | micrograms per cubic metre | none | 0.08 | -0.6 | 0.3 | -0.5 | 0.2 | -0.1 | 1.3
env-climate.vulnerability | Climate vulnerability | Environment/Climate | index (0-100) | none | 0.11 | -0.7 | -0.1 | 0.4 | 0.8 | -0.1 | -0.2
env-climate.readiness | Climate readiness | Environment/Climate | index (0-100) | none | 0.11 | 0.9 | 0.0 | 0.0 | -0.2 | 0.2 | -0.3
env-disaster.losses | Direct economic loss from disasters | Environment/Hazards | % of GDP | none | 0.72 | -0.3 | -0.3 | 0.5 | 0.8 | 0.1 | -3.4
env-economic.vulnerability | Economic vulnerability | Economy/Vulnerability | index (0-100) | none | 0.31 | -0.6 | -0.6 | 0.5 | 0.4 | -0.1 | -0.2
env-export.concentration | Merchandise export concentration | Economy/Vulnerability | index (0-1) | none | 0.13 | -0.4 | -0.5 | 0.4 | 0.2 | 0.0 | -0.3"""

KINDS = _kinds()
NEARLY_UNOBSERVED = "TKL"
