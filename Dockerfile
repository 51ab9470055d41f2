# The explorer in a container, which looks and computes on the processor. DEPLOYMENT.md says how to run it.
FROM python:3.11-slim

RUN useradd --create-home explorer && install -d -o explorer /cache
WORKDIR /explorer
COPY requirements.txt .
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir -r requirements.txt
COPY . .

USER explorer
ENV PATH=/opt/venv/bin:$PATH LANDSCAPE_CACHE=/cache STREAMLIT_SERVER_ADDRESS=0.0.0.0
VOLUME /cache
EXPOSE 8501
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('/'.join(filter(None, ('http://localhost:8501', os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH'), '_stcore/health'))), timeout=5)"]
CMD ["streamlit", "run", "app.py"]
